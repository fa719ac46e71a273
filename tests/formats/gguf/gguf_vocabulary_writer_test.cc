#include "headroom/formats/gguf/gguf_vocabulary_writer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/formats/gguf/gguf_file.h"
#include "headroom/formats/gguf/gguf_vocabulary.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/formats/tokenizer/tokenizer_parts.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

const std::string kWriterTestData = HEADROOM_SOURCE_DIR "/tests/data/";

void write(TokenizerSource& source, int64_t rows, const std::string& path) {
  const GgufVocabularyWriter vocabulary(source, rows);
  GgufWriter writer(path, {});
  vocabulary.write(writer);
  writer.finish();
}

class GgufVocabularyWriterTest : public testing::TestWithParam<const char*> {};

TEST_P(GgufVocabularyWriterTest, WritesVocabulariesThatGiveTheSameIds) {
  const TemporaryDirectory directory;
  const std::string original = kWriterTestData + "tokenizer/" + GetParam() + ".json";
  const std::string path = directory / "a.gguf";
  write(*tokenizer_json_source(original), 710, path);
  const Tokenizer theirs(original);
  const Tokenizer ours(path);
  EXPECT_EQ(ours.vocab_size(), 710);
  EXPECT_EQ(ours.piece(709), "[PAD709]");
  for (int32_t id = 0; id < theirs.vocab_size(); ++id) {
    ASSERT_EQ(ours.piece(id), theirs.piece(id));
    ASSERT_EQ(ours.is_special(id), theirs.is_special(id)) << id;
  }
  std::ifstream file(kWriterTestData + "tokenizer/texts.json");
  for (const auto& text : nlohmann::json::parse(file)) {
    std::vector<int32_t> expected, ids;
    theirs.encode(text.get<std::string>(), true, expected);
    ours.encode(text.get<std::string>(), true, ids);
    ASSERT_EQ(ids, expected) << text.dump();
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, GgufVocabularyWriterTest, testing::Values("deepseek_v3", "gpt2", "llama", "llama3"));

// From one GGUF file to the next, byte-level and SentencePiece: what was read is what is written.
TEST(GgufVocabularyWriter, CopiesVocabularies) {
  for (const std::string name : {"vocab-deepseek-v3", "vocab-llama3", "vocab-llama"}) {
    const TemporaryDirectory directory;
    const GgufFile original(kWriterTestData + "gguf/" + name + ".gguf");
    GgufVocabulary source(original);
    write(source, original.length("tokenizer.ggml.tokens"), directory / "a.gguf");
    const GgufFile copy(directory / "a.gguf");
    for (const std::string_view key : original.keys()) {
      if (!key.starts_with("tokenizer.ggml.")) continue;
      Fingerprint ours, theirs;
      copy.add_to_fingerprint(key, ours);
      original.add_to_fingerprint(key, theirs);
      EXPECT_EQ(ours.value(), theirs.value()) << name << " " << key;
    }
  }
}

TEST(GgufVocabularyWriter, RefusesWhatAFileCannotHold) {
  const auto refuse = [](const char* name, int64_t rows, const char* words) {
    const auto source = tokenizer_json_source(kWriterTestData + "tokenizer/" + name + ".json");
    EXPECT_ERROR(InvalidInput, words, GgufVocabularyWriter(*source, rows));
  };
  refuse("gpt2", 600, "the tokenizer has 700 ids, the model's embedding 600 rows; they do not belong together");
  refuse("deepseek_llm", 705,
         "its normalizer and pre_tokenizer are none that a GGUF file can name; known: deepseek-llm");
  // With one merge fewer there is a way to cut a piece in two that the tokenizer does not take.
  const TemporaryDirectory directory;
  std::ifstream file(kWriterTestData + "tokenizer/llama.json");
  auto llama = nlohmann::ordered_json::parse(file);
  auto stripping = llama;
  stripping["added_tokens"][0]["lstrip"] = true;
  const auto strips = tokenizer_json_source(directory.write("tokenizer.json", stripping.dump()));
  EXPECT_ERROR(InvalidInput, "the added token \"<unk>\" has lstrip, rstrip or single_word",
               GgufVocabularyWriter(*strips, 667));
  llama["model"]["merges"].erase(llama["model"]["merges"].size() - 1);
  const auto source = tokenizer_json_source(directory.write("tokenizer.json", llama.dump()));
  EXPECT_ERROR(InvalidInput, "model.merges: they are not those of a SentencePiece vocabulary",
               GgufVocabularyWriter(*source, 667));
}

}  // namespace
}  // namespace headroom
