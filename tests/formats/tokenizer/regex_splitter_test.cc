// Splitting by regular expressions: windows and fragments change nothing, Oniguruma's patterns are read as they are
// meant.
#include "headroom/formats/tokenizer/regex_splitter.h"

#include <gtest/gtest.h>

#include <random>

#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/pretokenizer.h"
#include "headroom/formats/tokenizer/regex_dialect.h"

namespace headroom {
namespace {

class Pieces : public TextStage {
 public:
  void text(std::string_view fragment) override { piece_ += fragment; }
  void end_piece() override {
    if (!piece_.empty()) all.push_back(piece_);
    piece_.clear();
  }
  void bytes(std::string_view) override {}
  void token(int32_t) override {}

  std::vector<std::string> all;

 private:
  std::string piece_;
};

std::vector<std::string> split(const std::string& pattern, std::string_view text, size_t fragment = 1 << 20,
                               SplitBehavior behavior = SplitBehavior::isolated, bool invert = false) {
  const RegexSplitter splitter(pattern, "test", behavior, invert);
  Pieces pieces;
  const auto stage = splitter.make_stage(pieces);
  for (; !text.empty(); text.remove_prefix(std::min(fragment, text.size()))) stage->text(text.substr(0, fragment));
  stage->end_piece();
  return pieces.all;
}

using Strings = std::vector<std::string>;

TEST(RegexSplitter, CutsMatchesAndWhatIsBetween) {
  EXPECT_EQ(split("[0-9]+", "a12b3"), (Strings{"a", "12", "b", "3"}));
  EXPECT_EQ(split("x", "abc"), (Strings{"abc"}));
  EXPECT_EQ(split("x", ""), Strings{});
  EXPECT_EQ(split(std::string(kGpt2Words), "I'll  go\n\n now 42!"),
            (Strings{"I", "'ll", " ", " go", "\n\n", " now", " 42", "!"}));
}

// What pre_tokenizers.Split of tokenizers 0.23 does with the pattern "-" and these texts.
TEST(RegexSplitter, KnowsEveryBehavior) {
  struct Case {
    const char* behavior;
    bool invert;
    Strings of_dashes;   // "-a--b-"
    Strings of_letters;  // "ab"
  };
  const Case cases[] = {
      {"Removed", false, {"a", "b"}, {"ab"}},
      {"Removed", true, {"-", "-", "-", "-"}, {}},
      {"MergedWithPrevious", false, {"-", "a-", "-", "b-"}, {"ab"}},
      {"MergedWithPrevious", true, {"-a", "-", "-b", "-"}, {"ab"}},
      {"MergedWithNext", false, {"-a", "-", "-b", "-"}, {"ab"}},
      {"MergedWithNext", true, {"-", "a-", "-", "b-"}, {"ab"}},
      {"Contiguous", false, {"-", "a", "--", "b", "-"}, {"ab"}},
      {"Contiguous", true, {"-", "a", "--", "b", "-"}, {"ab"}},
      {"Isolated", true, {"-", "a", "-", "-", "b", "-"}, {"ab"}},
  };
  for (const Case& test : cases) {
    for (const size_t fragment : {100u, 1u}) {
      const SplitBehavior behavior = *split_behavior(test.behavior);
      EXPECT_EQ(split("-", "-a--b-", fragment, behavior, test.invert), test.of_dashes) << test.behavior << test.invert;
      EXPECT_EQ(split("-", "ab", fragment, behavior, test.invert), test.of_letters) << test.behavior << test.invert;
    }
  }
  EXPECT_EQ(split_behavior("isolated"), std::nullopt);
}

TEST(RegexSplitter, ReadsRubySyntax) {
  EXPECT_EQ(split("\\s+$", "a  \nb"), (Strings{"a", "  ", "\nb"}));                      // $ is the end of any line
  EXPECT_EQ(split("\\s", "a\xE1\xA0\x8E"), (Strings{"a\xE1\xA0\x8E"}));                  // U+180E is no space
  EXPECT_EQ(split("\\p{L}+", "1\xF0\xAE\xAF\xB0"), (Strings{"1", "\xF0\xAE\xAF\xB0"}));  // U+2EBF0, of Unicode 15.1
  EXPECT_EQ(split("[^\\P{L}a]+", "bab1"), (Strings{"b", "a", "b", "1"}));
  EXPECT_EQ(split("a#", "ba#"), (Strings{"b", "a#"}));
  EXPECT_EQ(split("\\u4e2d", "a\xE4\xB8\xAD"), (Strings{"a", "\xE4\xB8\xAD"}));
  EXPECT_EQ(split("\\w+", "- \xC2\xBD\xC3\xA9_1 -"), (Strings{"- ", "\xC2\xBD\xC3\xA9_1", " -"}));
  EXPECT_EQ(split("\\W", "a-b"), (Strings{"a", "-", "b"}));
  EXPECT_EQ(split(quote_regex("a.b{"), "axb{a.b{"), (Strings{"axb{", "a.b{"}));
  for (const char* unsupported : {"a{1,2}+", "[a[b]]", "[a&&b]", "(?<n>a)", "(?#x)a", "\\Aa", "\\h", "a(*SKIP)",
                                  "\\xFF", "\\u12", "\\p{Han}", "[\\W]", "a\\"}) {
    EXPECT_THROW(to_pcre2(unsupported, "test"), InvalidInput) << unsupported;
  }
}

// A text larger than the window, in fragments, against each paragraph by itself: paragraphs end in a line feed followed
// by a letter, where the pattern cannot see across.
TEST(RegexSplitter, WindowsChangeNothing) {
  std::mt19937 random(4);
  Strings expected;
  std::string text;
  while (text.size() < 3 * kStageWindowBytes) {
    std::string paragraph = "x";
    for (size_t words = random() % 300; words > 0; --words) {
      paragraph += std::string(random() % 4, ' ');
      paragraph += std::string(random() % 9, "ab\xC3 7!"[random() % 2]);
      if (random() % 3 == 0) paragraph += "\xC3\xA9'll 12 \xE4\xB8\xAD";
      if (random() % 100 == 0) paragraph += std::string(random() % 3000, " q="[random() % 3]);
    }
    paragraph += ".\n";
    const Strings pieces = split(std::string(kGpt2Words), paragraph);
    expected.insert(expected.end(), pieces.begin(), pieces.end());
    text += paragraph;
  }
  EXPECT_EQ(split(std::string(kGpt2Words), text), expected);
  for (const size_t fragment : {1000u, 20'000u}) {
    // Fragments hold whole characters: the gate in front of the stages sees to it, here the letters are cut by hand.
    Pieces pieces;
    const RegexSplitter splitter(std::string(kGpt2Words), "test");
    const auto stage = splitter.make_stage(pieces);
    for (size_t at = 0; at < text.size();) {
      size_t end = std::min(text.size(), at + 1 + random() % fragment);
      while (end < text.size() && (text[end] & 0xC0) == 0x80) ++end;
      stage->text(std::string_view(text).substr(at, end - at));
      at = end;
    }
    stage->end_piece();
    EXPECT_EQ(pieces.all, expected);
  }
}

TEST(RegexSplitter, CutsAMatchThatIsLongerThanItsWindow) {
  const std::string text = "! " + std::string(5 * kStageWindowBytes, 'a') + " b";
  const Strings pieces = split(std::string(kGpt2Words), text);
  std::string joined;
  for (const std::string& piece : pieces) joined += piece;
  EXPECT_EQ(joined, text);
  EXPECT_LT(pieces.size(), 10u);
  EXPECT_EQ(pieces.back(), " b");
}

}  // namespace
}  // namespace headroom
