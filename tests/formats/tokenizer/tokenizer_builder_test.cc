// Tokenizers from sources other than a tokenizer.json: scores instead of merges, pipelines by name, and what is
// refused.
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/formats/tokenizer/tokenizer_parts.h"
#include "headroom/formats/tokenizer/tokenizer_pipelines.h"
#include "headroom/formats/tokenizer/tokenizer_source.h"

namespace headroom {
namespace {

constexpr float kNoMerge = -std::numeric_limits<float>::infinity();

// Pieces by their place, all of them known at once.
class ListedSource : public TokenizerSource {
 public:
  void add(std::string piece, float score) {
    outline_.largest_id = outline_.pieces++;
    outline_.piece_bytes += static_cast<int64_t>(piece.size());
    outline_.scores.push_back(score);
    pieces_.push_back(std::move(piece));
  }
  void add_bytes() {
    for (int byte = 0; byte < 256; ++byte) add(fmt::format("<0x{:02X}>", byte), kNoMerge);
  }

  const std::string& file() const override { return file_; }
  TokenizerOutline outline() override { return outline_; }
  int64_t table_limit_bytes() const override { return limit_; }
  void read_pieces(const PieceSink& add) override {
    for (size_t id = 0; id < pieces_.size(); ++id) add(static_cast<int32_t>(id), pieces_[id]);
  }
  void read_merges(const MergeSink& add) override {
    for (const auto& [left, right] : merges_) add(left, right);
  }
  RoleIds read_roles(const PieceTable& pieces) override { return {pieces.find("<s>"), std::nullopt, std::nullopt}; }

  std::vector<int32_t> encode(const std::string& text) {
    const Tokenizer tokenizer(build_tokenizer(*this));
    std::vector<int32_t> ids;
    tokenizer.encode(text, true, ids);
    return ids;
  }
  std::string refusal() {
    try {
      build_tokenizer(*this);
    } catch (const InvalidInput& error) {
      return error.what();
    }
    return "";
  }

  TokenizerOutline outline_;
  std::vector<std::string> pieces_;
  std::vector<std::pair<std::string, std::string>> merges_;
  int64_t limit_ = 1 << 20;

 private:
  std::string file_ = "vocabulary";
};

// SentencePiece's rule, word for word: again and again the two neighbours whose joined text is the piece of the highest
// score, the leftmost among equals.
std::vector<int32_t> merge_by_scores(const ListedSource& source, const std::string& text) {
  const auto find = [&](const std::string& piece) {
    const auto found = std::find(source.pieces_.begin(), source.pieces_.end(), piece);
    return found == source.pieces_.end() ? -1 : static_cast<int32_t>(found - source.pieces_.begin());
  };
  std::vector<std::string> symbols;
  for (const char letter : text) symbols.emplace_back(1, letter);
  for (;;) {
    size_t best = symbols.size();
    float best_score = kNoMerge;
    for (size_t at = 0; at + 1 < symbols.size(); ++at) {
      const int32_t id = find(symbols[at] + symbols[at + 1]);
      if (id < 0 || source.outline_.scores[id] <= best_score) continue;
      best = at;
      best_score = source.outline_.scores[id];
    }
    if (best == symbols.size()) break;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + static_cast<int64_t>(best) + 1);
  }
  std::vector<int32_t> ids;
  for (const std::string& symbol : symbols) ids.push_back(find(symbol));
  return ids;
}

TEST(TokenizerBuilder, MergesByScoreAsSentencePieceDoes) {
  std::mt19937 random(3);
  for (int round = 0; round < 100; ++round) {
    ListedSource source;
    source.add_bytes();
    for (const char* letter : {"a", "b", "c"}) source.add(letter, -1e9F);
    for (int i = 0; i < 30; ++i) {
      std::string piece(2 + random() % 4, ' ');
      for (char& letter : piece) letter = "abc"[random() % 3];
      if (std::find(source.pieces_.begin(), source.pieces_.end(), piece) != source.pieces_.end()) continue;
      source.add(piece, random() % 8 == 0 ? kNoMerge : -static_cast<float>(random() % 12));
    }
    set_sentencepiece_pipeline(false, source.outline_);
    for (int i = 0; i < 20; ++i) {
      std::string text(random() % 60, ' ');
      for (char& letter : text) letter = "abc"[random() % 3];
      EXPECT_EQ(source.encode(text), merge_by_scores(source, text)) << text;
    }
  }
}

TEST(TokenizerBuilder, SurroundsWithRoles) {
  ListedSource source;
  source.add_bytes();
  source.add("<s>", kNoMerge);
  source.add("\xE2\x96\x81", 0);
  source.outline_.added.push_back({256, "<s>", false, true});
  set_sentencepiece_pipeline(true, source.outline_);
  set_surrounding_tokens(NamedToken{256, "<s>"}, NamedToken{10, "after"}, source.outline_);
  EXPECT_EQ(source.encode("a<s> "), (std::vector<int32_t>{256, 257, 'a', 256, 257, 257, 10}));
  const Tokenizer tokenizer(build_tokenizer(source));
  EXPECT_EQ(tokenizer.bos_id(), 256);
  EXPECT_TRUE(tokenizer.is_special(256));
  EXPECT_EQ(tokenizer.decode(source.encode("a b"), true), "a b\n");
}

TEST(TokenizerBuilder, KnowsPipelinesByName) {
  TokenizerOutline outline;
  for (const char* name :
       {"deepseek-llm", "deepseek-coder", "deepseek-v3", "deepseek-r1-qwen", "gpt-2", "llama-bpe", "qwen2"}) {
    ListedSource source;
    source.add("a", 0);
    source.outline_.scores.clear();
    set_byte_level_pipeline(name, "vocabulary", source.outline_);
    EXPECT_EQ(source.refusal(), "") << name;
  }
  try {
    set_byte_level_pipeline("falcon", "m.gguf", outline);
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_EQ(std::string(error.what()).rfind("m.gguf: the pre-tokenizer \"falcon\" is not supported; known: ", 0), 0u);
  }
}

TEST(TokenizerBuilder, RefusesBadScoresAndMerges) {
  const auto with = [](auto change) {
    ListedSource source;
    source.add_bytes();
    source.add("a", 0);
    source.add("aa", 0);
    set_sentencepiece_pipeline(false, source.outline_);
    change(source);
    return source.refusal();
  };
  EXPECT_EQ(with([](ListedSource&) {}), "");
  EXPECT_EQ(with([](ListedSource& source) { source.outline_.scores.pop_back(); }),
            "vocabulary: 257 scores; expected one for each of 258 ids");
  EXPECT_EQ(with([](ListedSource& source) { source.outline_.scores[3] = std::nanf(""); }),
            "vocabulary: the score of id 3 is not a number");
  EXPECT_EQ(with([](ListedSource& source) { source.add(std::string(1025, 'a'), 0); }),
            "vocabulary: the piece with id 258 has a score and 1025 bytes; expected at most 1024");
  const std::string too_many = with([](ListedSource& source) {
    for (size_t i = 3; i < 200; ++i) source.add(std::string(i, 'a'), 0);
    source.limit_ = 64 << 10;
  });
  EXPECT_NE(too_many.find("vocabulary: the scores allow 19701 merges, which need "), std::string::npos) << too_many;
  EXPECT_EQ(with([](ListedSource& source) {
              source.outline_.scores.clear();
              source.outline_.merges = 1;
              source.merges_ = {{"a", "b"}};
            }),
            "vocabulary: merge 0 names the piece \"b\", which is not in the vocabulary");
  EXPECT_EQ(with([](ListedSource& source) { source.add("aa", 0); }),
            "vocabulary: the piece \"aa\" appears twice, with ids 257 and 258");
}

}  // namespace
}  // namespace headroom
