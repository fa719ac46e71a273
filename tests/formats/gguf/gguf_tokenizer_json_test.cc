#include "headroom/formats/gguf/gguf_tokenizer_json.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "headroom/formats/tokenizer/tokenizer.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

const std::string kJsonTestData = HEADROOM_SOURCE_DIR "/tests/data/";

class GgufTokenizerJson : public testing::TestWithParam<const char*> {};

TEST_P(GgufTokenizerJson, GivesTheIdsOfTheVocabulary) {
  const TemporaryDirectory directory;
  const std::string path = kJsonTestData + "gguf/vocab-" + GetParam() + ".gguf";
  write_tokenizer_of_gguf(GgufFile(path), directory.path());
  const Tokenizer from_json(directory.path());
  const Tokenizer from_gguf(path);
  EXPECT_EQ(from_json.vocab_size(), from_gguf.vocab_size());
  EXPECT_EQ(from_json.bos_id(), from_gguf.bos_id());
  EXPECT_EQ(from_json.eos_id(), from_gguf.eos_id());
  EXPECT_EQ(from_json.pad_id(), from_gguf.pad_id());
  std::ifstream file(kJsonTestData + "tokenizer/texts.json");
  for (const auto& text : nlohmann::json::parse(file)) {
    std::vector<int32_t> ours, theirs;
    from_json.encode(text.get<std::string>(), true, ours);
    from_gguf.encode(text.get<std::string>(), true, theirs);
    ASSERT_EQ(ours, theirs) << text.dump();
    ASSERT_EQ(from_json.decode(ours, true), from_gguf.decode(ours, true));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, GgufTokenizerJson, testing::Values("deepseek-v3", "gpt2", "llama", "llama3"));

}  // namespace
}  // namespace headroom
