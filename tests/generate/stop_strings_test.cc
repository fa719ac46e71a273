#include "headroom/generate/stop_strings.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

// The text that comes through, fragment by fragment with '|' behind each that was not empty.
std::string through(std::vector<std::string> stops, const std::vector<std::string>& fragments) {
  StopStrings strings(std::move(stops));
  std::string out;
  for (const std::string& fragment : fragments) {
    const std::string_view text = strings.push(fragment);
    if (!text.empty()) out += std::string(text) + "|";
  }
  if (!strings.stopped()) out += strings.finish();
  return out + (strings.stopped() ? "#" : "");
}

TEST(StopStrings, TextWithoutThemComesAtOnce) { EXPECT_EQ(through({}, {"one", " two"}), "one| two|"); }

TEST(StopStrings, TheTextEndsBeforeTheFirstOfThem) {
  EXPECT_EQ(through({"END"}, {"one END two"}), "one |#");
  EXPECT_EQ(through({"two", "one"}, {"a one two"}), "a |#");
  EXPECT_EQ(through({"\n"}, {"\nx"}), "#");
}

TEST(StopStrings, BordersOfFragmentsDoNotMatter) {
  EXPECT_EQ(through({"END"}, {"one E", "N", "D two", "three"}), "one |#");
  EXPECT_EQ(through({"abab"}, {"x", "ab", "a", "c", "abab"}), "x|abac|#");
  EXPECT_EQ(through({"aab"}, {"a", "a", "a", "b"}), "a|#");
}

// Special tokens in brackets.
std::string through_tokens(const std::string& stop, const std::vector<std::string>& tokens) {
  StopStrings strings({stop});
  std::string out;
  for (const std::string& token : tokens) {
    out += token.starts_with('[') ? strings.push_hidden(token) : strings.push(token);
  }
  if (!strings.stopped()) out += strings.finish();
  return out + (strings.stopped() ? "#" : "");
}

TEST(StopStrings, SpecialTokensStopButAreNotShown) {
  EXPECT_EQ(through_tokens("[e]", {"one", "[e]", "two"}), "one#");
  EXPECT_EQ(through_tokens("[e]", {"one", "[f]", " two"}), "one two");
  EXPECT_EQ(through_tokens("ne[e]\nt", {"one", "[e]", "\n", "two"}), "o#");
  EXPECT_EQ(through_tokens("ne[e]\nt", {"one", "[e]", "\n", "four"}), "one\nfour");
  EXPECT_EQ(through_tokens("[e][f]", {"[e]", "[f]", "x"}), "#");
  EXPECT_EQ(through_tokens("[e", {"a", "[e]", "x"}), "a#");
}

TEST(StopStrings, WhatOnlyBeganOneIsHeldAndThenGiven) {
  EXPECT_EQ(through({"END"}, {"one E", "N", "d"}), "one |ENd|");
  EXPECT_EQ(through({"END"}, {"one EN"}), "one |EN");
}

TEST(StopStrings, CharactersStayWhole) {
  EXPECT_EQ(through({"\xc3\xa9!"}, {"caf\xc3\xa9", " \xc3\xa8"}), "caf|\xc3\xa9 \xc3\xa8|");
}

TEST(StopStrings, RefusesWhatIsNoText) {
  EXPECT_ERROR(InvalidInput, "--stop", StopStrings({""}));
  EXPECT_ERROR(InvalidInput, "--stop", StopStrings({"\xa9"}));
  EXPECT_ERROR(InvalidInput, "--stop", StopStrings({"\xc3"}));
}

}  // namespace
}  // namespace headroom
