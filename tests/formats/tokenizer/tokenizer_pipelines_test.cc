#include "headroom/formats/tokenizer/tokenizer_pipelines.h"

#include <gtest/gtest.h>

namespace headroom {
namespace {

using Json = nlohmann::json;

TEST(TokenizerPipelines, AreFoundAgainByWhatTheyDo) {
  for (const std::string name : {"deepseek-llm", "deepseek-coder", "deepseek-v3", "gpt-2", "llama-bpe"}) {
    TokenizerOutline outline;
    set_byte_level_pipeline(name, "here", outline);
    EXPECT_EQ(find_byte_level_pipeline(outline), name);
    EXPECT_EQ(find_sentencepiece_pipeline(outline), std::nullopt);
    outline.ignore_merges = !outline.ignore_merges;
    EXPECT_EQ(find_byte_level_pipeline(outline), std::nullopt);
  }
  TokenizerOutline qwen2;  // the same under two names
  set_byte_level_pipeline("qwen2", "here", qwen2);
  EXPECT_EQ(find_byte_level_pipeline(qwen2), "deepseek-r1-qwen");
  qwen2.normalizer = Json{{"type", "NFKC"}};
  EXPECT_EQ(find_byte_level_pipeline(qwen2), std::nullopt);
  for (const bool leading_space : {false, true}) {
    TokenizerOutline outline;
    set_sentencepiece_pipeline(leading_space, outline);
    EXPECT_EQ(find_sentencepiece_pipeline(outline), leading_space);
    EXPECT_EQ(find_byte_level_pipeline(outline), std::nullopt);
  }
}

// Characters instead of escapes, Digits instead of an expression, GPT-2's words inside ByteLevel.
TEST(TokenizerPipelines, AreFoundUnderOtherSpellings) {
  TokenizerOutline outline;
  set_byte_level_pipeline("deepseek-coder", "here", outline);
  Json& steps = outline.pre_tokenizer["pretokenizers"];
  steps[3]["pattern"]["Regex"] = "[\xE4\xB8\x80-\xE9\xBE\xA5\xE0\xA0\x80-\xE4\xB8\x80\xEA\xB0\x80-\xED\x9F\xBF]+";
  steps[4] = {{"type", "Digits"}, {"individual_digits", true}};
  EXPECT_EQ(find_byte_level_pipeline(outline), "deepseek-coder");
  steps[4]["individual_digits"] = false;
  EXPECT_EQ(find_byte_level_pipeline(outline), std::nullopt);

  TokenizerOutline gpt2;
  gpt2.pre_tokenizer = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}};
  EXPECT_EQ(find_byte_level_pipeline(gpt2), "gpt-2");
  gpt2.normalizer = {{"type", "Sequence"}, {"normalizers", Json::array()}};
  EXPECT_EQ(find_byte_level_pipeline(gpt2), "gpt-2");
  gpt2.pre_tokenizer["add_prefix_space"] = true;
  EXPECT_EQ(find_byte_level_pipeline(gpt2), std::nullopt);
}

}  // namespace
}  // namespace headroom
