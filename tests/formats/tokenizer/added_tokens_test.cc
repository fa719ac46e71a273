#include "headroom/formats/tokenizer/added_tokens.h"

#include <gtest/gtest.h>

#include <random>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

// Writes what it sees: text as it is, the ends of pieces as |, tokens as their number in braces.
class Transcript : public TextStage {
 public:
  void text(std::string_view fragment) override { all += fragment; }
  void end_piece() override {
    if (!all.empty() && all.back() != '|' && all.back() != '}') all += '|';
  }
  void bytes(std::string_view) override {}
  void token(int32_t id) override { all += "{" + std::to_string(id) + "}"; }
  std::string all;
};

std::string transcribe(const AddedTokens& tokens, std::string_view text, size_t fragment) {
  Transcript transcript;
  const auto stage = tokens.make_stage(transcript);
  for (; !text.empty(); text.remove_prefix(std::min(fragment, text.size()))) stage->text(text.substr(0, fragment));
  stage->end_piece();
  return transcript.all;
}

TEST(AddedTokens, TakesTheLeftmostLongest) {
  const AddedTokens tokens({{"<a>", 1}, {"<a>b", 2}, {"b<a", 3}, {"xyz", 4}, {"xyzxyq", 5}}, "test");
  for (const size_t fragment : {100u, 1u, 2u, 3u}) {
    EXPECT_EQ(transcribe(tokens, "1<a>2", fragment), "1|{1}2|");
    EXPECT_EQ(transcribe(tokens, "<a>b<a>", fragment), "{2}{1}");
    EXPECT_EQ(transcribe(tokens, "b<a>", fragment), "{3}>|");
    EXPECT_EQ(transcribe(tokens, "xyzxyz", fragment), "{4}{4}");
    EXPECT_EQ(transcribe(tokens, "xyzxyq<a", fragment), "{5}<a|");
    EXPECT_EQ(transcribe(tokens, "xyzxy", fragment), "{4}xy|");
    EXPECT_EQ(transcribe(tokens, "", fragment), "");
  }
}

TEST(AddedTokens, SwallowsWhiteSpaceAndKnowsWords) {
  const AddedTokens tokens({{"<l>", 1, false, true, false}, {"<r>", 2, false, false, true}, {"w", 3, true}}, "test");
  for (const size_t fragment : {100u, 1u, 2u}) {
    EXPECT_EQ(transcribe(tokens, " a \t<l> b", fragment), " a|{1} b|");
    EXPECT_EQ(transcribe(tokens, "a <r> \n b", fragment), "a |{2}b|");
    EXPECT_EQ(transcribe(tokens, "  <r>  <l>  ", fragment), "  |{2}{1}  |");
    EXPECT_EQ(transcribe(tokens, "w ww aw w-w 1w w", fragment), "{3} ww aw |{3}-|{3} 1w |{3}");
  }
  const std::string spaces(kStageWindowBytes + 5, ' ');
  EXPECT_EQ(transcribe(tokens, "a" + spaces + "<l>", 1000), "a     |{1}");
}

TEST(AddedTokens, RefusesTwoOfOneText) {
  try {
    AddedTokens({{"a", 1}, {"a", 2}}, "t.json");
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_STREQ(error.what(), "t.json: the added tokens with ids 1 and 2 are both \"a\" in a text");
  }
}

// What the tokenizers library does (find_matches of added_vocabulary.rs), with the whole text before it.
std::string search_naively(const std::vector<AddedToken>& tokens, const std::string& text) {
  Transcript expected;
  size_t passed = 0;
  const auto is_word = [](char letter) { return letter == 'a' || letter == 'b'; };
  for (size_t at = 0; at < text.size();) {
    const AddedToken* best = nullptr;
    for (const auto& token : tokens) {
      const bool fits = text.compare(at, token.text.size(), token.text) == 0;
      if (fits && (best == nullptr || token.text.size() > best->text.size())) best = &token;
    }
    size_t begin = at;
    size_t end = at + (best == nullptr ? 1 : best->text.size());
    at = end;
    if (best == nullptr) continue;
    const bool touched = (begin > 0 && is_word(text[begin - 1])) || (end < text.size() && is_word(text[end]));
    if (best->single_word && touched) continue;
    if (best->lstrip) {
      while (begin > 0 && text[begin - 1] == ' ') --begin;
      begin = std::max(begin, passed);
    }
    if (best->rstrip) {
      while (end < text.size() && text[end] == ' ') ++end;
    }
    if (passed < begin) expected.text(text.substr(passed, begin - passed));
    expected.end_piece();
    expected.token(best->id);
    passed = end;
  }
  if (passed < text.size()) expected.text(text.substr(passed));
  expected.end_piece();
  return expected.all;
}

TEST(AddedTokens, EqualsANaiveSearchHoweverTheTextArrives) {
  std::mt19937 random(8);
  const auto letters = [&](size_t length) {
    std::string text(length, 'a');
    for (char& letter : text) letter = "ab  -"[random() % 5];
    return text;
  };
  for (int round = 0; round < 2000; ++round) {
    std::vector<AddedToken> list;
    for (int32_t id = 0; id < 5; ++id) {
      AddedToken token = {letters(1 + random() % 5), id};
      if (round % 2 == 0) token.single_word = random() % 3 == 0;
      if (round % 2 == 0) token.lstrip = random() % 3 == 0;
      if (round % 2 == 0) token.rstrip = random() % 3 == 0;
      if (std::none_of(list.begin(), list.end(), [&](const auto& other) { return other.text == token.text; })) {
        list.push_back(token);
      }
    }
    const std::string text = letters(100);
    ASSERT_EQ(transcribe(AddedTokens(list, "test"), text, 1 + random() % 10), search_naively(list, text)) << text;
  }
}

}  // namespace
}  // namespace headroom
