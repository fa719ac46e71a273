// The BPE trainer against the one of the `tokenizers` library on the same text (tests/data/tokenizer/make_vectors.py),
// and what it writes against what that library makes of it.
#include "headroom/formats/tokenizer/bpe_trainer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/bpe_pair_counts.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

const std::string kData = HEADROOM_SOURCE_DIR "/tests/data/tokenizer/";

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class BpeTrainerTest : public testing::Test {
 protected:
  static TrainedBpe train_on_corpus() {
    BpeTrainer trainer({.vocab_size = 1200});
    trainer.add_file(kData + "corpus.txt");
    return trainer.train();
  }

  const TemporaryDirectory temporary_;
  const std::string directory_ = temporary_.path();
};

TEST_F(BpeTrainerTest, FindsThePiecesAndMergesOfTheLibrary) {
  write_tokenizer(train_on_corpus(), {}, directory_);
  const auto written = nlohmann::json::parse(read_text(directory_ + "/tokenizer.json"));
  const auto expected = nlohmann::json::parse(read_text(kData + "trained.json"));
  ASSERT_EQ(expected["vocab"].size(), 1200u);
  EXPECT_EQ(written["model"]["merges"], expected["merges"]);
  EXPECT_EQ(written["model"]["vocab"], expected["vocab"]);
}

// trained/ids.json holds what the library makes of trained/tokenizer.json, which this writes byte for byte. After a
// change of the format: run once with HEADROOM_UPDATE_TEST_DATA=1, then make_vectors.py.
TEST_F(BpeTrainerTest, WritesWhatTheLibraryReads) {
  write_tokenizer(train_on_corpus(), {}, directory_);
  if (std::getenv("HEADROOM_UPDATE_TEST_DATA") != nullptr) write_tokenizer(train_on_corpus(), {}, kData + "trained");
  for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) {
    EXPECT_EQ(read_text(directory_ + "/" + name), read_text(kData + "trained/" + name)) << name;
  }
  const Tokenizer tokenizer(directory_);
  EXPECT_EQ(tokenizer.bos_id(), 0);
  EXPECT_EQ(tokenizer.eos_id(), 1);
  EXPECT_EQ(tokenizer.pad_id(), 2);
  const auto texts = nlohmann::json::parse(read_text(kData + "texts.json"));
  const auto expected = nlohmann::json::parse(read_text(kData + "trained/ids.json"));
  ASSERT_EQ(texts.size(), expected["ids"].size());
  for (size_t i = 0; i < texts.size(); ++i) {
    std::vector<int32_t> ids;
    tokenizer.encode(texts[i].get<std::string>(), true, ids);
    EXPECT_EQ(ids, expected["ids"][i].get<std::vector<int32_t>>()) << "text " << i;
  }
}

TEST_F(BpeTrainerTest, DoesNotDependOnHowTheTextArrives) {
  const std::string corpus = read_text(kData + "corpus.txt");
  const TrainedBpe whole = train_on_corpus();
  BpeTrainer trainer({.vocab_size = 1200});
  std::mt19937 random(3);
  for (size_t at = 0; at < corpus.size();) {
    const size_t size = std::min<size_t>(corpus.size() - at, 1 + random() % 40);
    trainer.text(std::string_view(corpus).substr(at, size));
    at += size;
  }
  trainer.end_text();
  int calls = 0;
  const TrainedBpe pieces = trainer.train([&](int32_t done, int32_t of) { calls += done <= of; });
  EXPECT_EQ(pieces.merges, whole.merges);
  EXPECT_EQ(pieces.pieces, whole.pieces);
  EXPECT_GT(calls, 10);
}

// The incremental counts against counting everything again before each merge.
TEST_F(BpeTrainerTest, EqualsCountingAgainForEachMerge) {
  std::mt19937 random(9);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> words;
    std::string text;
    for (int i = 0; i < 60; ++i) {
      std::string word(1 + random() % 12, 'a');
      for (char& letter : word) letter = static_cast<char>('a' + random() % 3);
      words.push_back((i > 0 ? " " : "") + word);
      text += words.back();
    }
    BpeTrainer trainer({.vocab_size = 256 + 40, .special_tokens = {}, .min_count = 1});
    trainer.text(text);
    trainer.end_text();
    const TrainedBpe trained = trainer.train();

    std::vector<std::vector<int32_t>> split;
    for (const std::string& word : words) {
      split.emplace_back();
      for (const char byte : word) {
        const std::string piece(1, byte);
        split.back().push_back(static_cast<int32_t>(std::find(trained.pieces.begin(), trained.pieces.end(), piece) -
                                                    trained.pieces.begin()));
      }
    }
    for (const auto& merge : trained.merges) {
      std::map<std::pair<int32_t, int32_t>, int64_t> counts;
      for (const auto& word : split) {
        for (size_t i = 0; i + 1 < word.size(); ++i) ++counts[{word[i], word[i + 1]}];
      }
      auto best = counts.begin();
      for (auto pair = counts.begin(); pair != counts.end(); ++pair) {
        if (pair->second > best->second) best = pair;
      }
      ASSERT_EQ(merge, best->first);
      const std::string piece = trained.pieces[merge.first] + trained.pieces[merge.second];
      const auto id =
          static_cast<int32_t>(std::find(trained.pieces.begin(), trained.pieces.end(), piece) - trained.pieces.begin());
      for (auto& word : split) {
        for (size_t i = 0; i + 1 < word.size(); ++i) {
          if (std::pair(word[i], word[i + 1]) != merge) continue;
          word[i] = id;
          word.erase(word.begin() + static_cast<int64_t>(i) + 1);
        }
      }
    }
  }
}

TEST_F(BpeTrainerTest, RefusesWhatItCannotDo) {
  EXPECT_THROW(BpeTrainer({.vocab_size = 258}), InvalidInput);
  EXPECT_THROW(BpeTrainer({.vocab_size = 300, .special_tokens = {"<s>", "<s>"}}), InvalidInput);
  EXPECT_THROW(BpeTrainer({.vocab_size = 300}).train(), InvalidInput);
  TrainedBpe trained = train_on_corpus();
  EXPECT_THROW(write_tokenizer(trained, {.bos_token = "<begin>"}, directory_), InvalidInput);
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/tokenizer.json"));
}

TEST_F(BpeTrainerTest, StaysBelowItsMemoryLimit) {
  BpeTrainer trainer({.vocab_size = 400, .memory_limit_bytes = 1 << 20});
  std::mt19937 random(1);
  const auto take_in = [&] {
    for (int i = 0; i < 200'000; ++i) trainer.text(" w" + std::to_string(random()));
    trainer.end_text();
    trainer.train();
  };
  try {
    take_in();
    FAIL() << "expected a refusal";
  } catch (const InvalidInput& error) {
    EXPECT_NE(std::string(error.what()).find("different words"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace headroom
