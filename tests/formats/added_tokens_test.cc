#include "headroom/formats/added_tokens.h"

#include <gtest/gtest.h>

#include <random>

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
  const AddedTokens tokens({{"<a>", 1}, {"<a>b", 2}, {"b<a", 3}, {"xyz", 4}, {"xyzxyq", 5}});
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

// Against a search that looks at all tokens at each place of the whole text.
TEST(AddedTokens, EqualsANaiveSearchHoweverTheTextArrives) {
  std::mt19937 random(8);
  const auto letters = [&](size_t length) {
    std::string text(length, 'a');
    for (char& letter : text) letter = static_cast<char>('a' + random() % 2);
    return text;
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<std::pair<std::string, int32_t>> list;
    for (int32_t id = 0; id < 5; ++id) {
      const std::string text = letters(2 + random() % 6);
      if (std::none_of(list.begin(), list.end(), [&](const auto& token) { return token.first == text; })) {
        list.emplace_back(text, id);
      }
    }
    const std::string text = letters(100);
    Transcript expected;
    for (size_t at = 0; at < text.size();) {
      const std::pair<std::string, int32_t>* best = nullptr;
      for (const auto& token : list) {
        const bool fits = text.compare(at, token.first.size(), token.first) == 0;
        if (fits && (best == nullptr || token.first.size() > best->first.size())) best = &token;
      }
      if (best == nullptr) {
        expected.text(text.substr(at++, 1));
      } else {
        expected.end_piece();
        expected.token(best->second);
        at += best->first.size();
      }
    }
    expected.end_piece();
    EXPECT_EQ(transcribe(AddedTokens(list), text, 1 + random() % 10), expected.all);
  }
}

}  // namespace
}  // namespace headroom
