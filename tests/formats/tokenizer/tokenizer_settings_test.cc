// What files beside a tokenizer.json change of its ids, against AutoTokenizer of transformers 4
// (tests/data/tokenizer/make_settings.py), and what is said where they contradict the tokenizer.json.
#include "headroom/formats/tokenizer/tokenizer_settings.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/formats/tokenizer/tokenizer_parts.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

using SettingsJson = nlohmann::json;

const std::string kSettingsData = HEADROOM_SOURCE_DIR "/tests/data/tokenizer/";

SettingsJson parse_file(const std::string& path) {
  std::ifstream file(path);
  return SettingsJson::parse(file);
}

std::unique_ptr<TemporaryDirectory> directory_of(const SettingsJson& test_case) {
  auto directory = std::make_unique<TemporaryDirectory>();
  SettingsJson tokenizer = parse_file(kSettingsData + test_case["tokenizer"].get<std::string>() + ".json");
  tokenizer.update(test_case["edit"]);
  directory->write("tokenizer.json", tokenizer.dump());
  for (const auto& [name, content] : test_case["files"].items()) directory->write(name, content.dump());
  return directory;
}

SettingsJson or_null(std::optional<int32_t> id) { return id ? SettingsJson(*id) : SettingsJson(); }

TEST(TokenizerSettings, GiveTheIdsOfTransformers4) {
  const SettingsJson all = parse_file(kSettingsData + "settings.json");
  ASSERT_GT(all["cases"].size(), 100u);
  for (const SettingsJson& test_case : all["cases"]) {
    const auto directory = directory_of(test_case);
    const std::string what = test_case["tokenizer"].dump() + test_case["edit"].dump() + test_case["files"].dump();
    const Tokenizer tokenizer(directory->path());
    for (size_t i = 0; i < all["texts"].size(); ++i) {
      std::vector<int32_t> ids;
      tokenizer.encode(all["texts"][i].get<std::string>(), true, ids);
      ASSERT_EQ(SettingsJson(ids), test_case["ids"][i]) << what;
      if (!test_case["plain"].is_null()) {
        ASSERT_EQ(tokenizer.decode(ids, true), test_case["plain"][i]) << what;
      }
    }
    EXPECT_EQ(or_null(tokenizer.bos_id()), test_case["roles"][0]) << what;
    EXPECT_EQ(or_null(tokenizer.eos_id()), test_case["roles"][1]) << what;
    EXPECT_EQ(or_null(tokenizer.pad_id()), test_case["roles"][2]) << what;
  }
}

class TokenizerSettingsFiles : public testing::Test {
 protected:
  TokenizerSettingsFiles() {
    SettingsJson tokenizer = parse_file(kSettingsData + "gpt2.json");
    tokenizer["post_processor"] = nullptr;
    directory_.write("tokenizer.json", tokenizer.dump());
  }
  std::string changes(const std::string& config) {
    directory_.write("tokenizer_config.json", config);
    return Tokenizer(directory_.path()).parts().changes;
  }
  std::string refusal(const std::string& config) {
    try {
      changes(config);
    } catch (const InvalidInput& error) {
      return error.what();
    }
    return "";
  }

  TemporaryDirectory directory_;
};

TEST_F(TokenizerSettingsFiles, SayWhatTheyChange) {
  EXPECT_EQ(changes(R"({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "add_bos_token": true})"),
            "");
  EXPECT_EQ(changes(R"({"tokenizer_class": "LlamaTokenizerFast", "bos_token": "<s>", "add_bos_token": false})"), "");
  EXPECT_EQ(changes(R"({"tokenizer_class": "LlamaTokenizerFast", "bos_token": "<s>", "add_eos_token": false})"),
            "LlamaTokenizerFast puts <s> before and nothing after a text");
  EXPECT_EQ(changes(R"({"eos_token": "<|a|>", "added_tokens_decoder": {"4": {"content": "<|im_end|>", "special": true,
                        "rstrip": true, "normalized": false}}})"),
            "<|im_end|> is found otherwise (special rstrip), <|a|> is added as 700 (special)");
}

TEST_F(TokenizerSettingsFiles, GiveNoIdsThatTransformersWouldNotGive) {
  EXPECT_EQ(refusal(R"({"added_tokens_decoder": {"900": {"content": "<|a|>"}}})"),
            (directory_ / "tokenizer_config.json") +
                ": the added token \"<|a|>\" has id 900; expected 700, its place in the vocabulary of " +
                (directory_ / "tokenizer.json"));
  EXPECT_EQ(refusal(R"({"added_tokens_decoder": {"x": {"content": "<|a|>"}}})"),
            (directory_ / "tokenizer_config.json") +
                ": added_tokens_decoder: \"x\" is no id; expected a number from 0 to 16777215");
  directory_.write("added_tokens.json", R"({"<|a|>": "700"})");
  EXPECT_EQ(refusal("{}"), (directory_ / "added_tokens.json") +
                               ": <|a|>: expected an id from 0 to 16777215, and at most 65536 of them");
}

TEST_F(TokenizerSettingsFiles, AskForATokenThatThereIs) {
  const std::string file = directory_ / "tokenizer_config.json";
  EXPECT_EQ(refusal(R"({"tokenizer_class": "LlamaTokenizerFast", "bos_token": null, "add_bos_token": true})"),
            file + ": add_bos_token is true, but there is no such token; expected bos_token, a token of " +
                (directory_ / "tokenizer.json"));
  EXPECT_EQ(refusal(R"({"tokenizer_class": "LlamaTokenizerFast", "bos_token": null})"), "");
}

}  // namespace
}  // namespace headroom
