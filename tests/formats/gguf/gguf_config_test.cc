#include "headroom/formats/gguf/gguf_config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/formats/gguf/gguf_names.h"
#include "headroom/formats/json/json_object.h"
#include "tests/formats/gguf_bytes.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

using namespace gguf_bytes;

class GgufConfigTest : public testing::Test {
 protected:
  // A small llama with these keys beside the least it needs.
  nlohmann::ordered_json read(const std::vector<std::string>& more, const std::string& architecture = "llama") {
    std::vector<std::string> keys = {word("general.architecture", architecture)};
    for (const auto& [name, value] : {std::pair{"embedding_length", 32u},
                                      {"feed_forward_length", 64u},
                                      {"block_count", 2u},
                                      {"context_length", 512u},
                                      {"attention.head_count", 4u}}) {
      keys.push_back(number(architecture + "." + name, value));
    }
    keys.insert(keys.end(), more.begin(), more.end());
    std::string entries;
    for (const std::string& key : keys) entries += key;
    return gguf_config(
        GgufFile(directory_.write("a.gguf", pad(head(tensors_, keys.size()) + entries + table_) + data_)));
  }
  nlohmann::ordered_json with_divisors(const Llama3Scaling& scaling, double theta) {
    tensors_ = 1;
    table_ = tensor(std::string(kRopeFactors), {64}, kGgmlF32, 0);
    data_.clear();
    for (const float divisor : llama3_divisors(scaling, theta, 128)) data_ += bytes_of(divisor);
    return read({number("llama.attention.key_length", 128), number("llama.attention.value_length", 128),
                 real("llama.rope.freq_base", static_cast<float>(theta))});
  }
  static std::string real(const std::string& name, float value) {
    return key(name, GgufValueType::f32, bytes_of(value));
  }

  uint64_t tensors_ = 0;
  std::string table_;
  std::string data_;
  TemporaryDirectory directory_;
};

TEST_F(GgufConfigTest, IsTheConfigOfTheModelItWasMadeFrom) {
  const std::string data = HEADROOM_SOURCE_DIR "/tests/data/";
  const nlohmann::ordered_json config = gguf_config(GgufFile(data + "gguf/gqa.gguf"));
  const JsonObject expected = read_config(data + "llama/gqa");
  for (const char* key : {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                          "num_key_value_heads", "head_dim", "max_position_embeddings"}) {
    EXPECT_EQ(config[key], expected.integer(key, 1, 1 << 20)) << key;
  }
  EXPECT_EQ(config["rms_norm_eps"], 1e-5);  // the decimal number, not the nearest f32
  EXPECT_EQ(config["tie_word_embeddings"], true);
  EXPECT_EQ(config["torch_dtype"], "float32");
  EXPECT_EQ(config["rope_scaling"].dump(), R"({"type":"linear","factor":4.0})");
  EXPECT_EQ(read_config(data + "gguf/gqa.gguf").integer("head_dim", 1, 99), 8);
}

TEST_F(GgufConfigTest, TakesDefaultsAndTokens) {
  const nlohmann::ordered_json config = read({number("tokenizer.ggml.bos_token_id", 7), number("llama.vocab_size", 9),
                                              number("tokenizer.ggml.eos_token_id", 8)});
  EXPECT_EQ(config["head_dim"], 8);
  EXPECT_EQ(config["num_key_value_heads"], 4);
  EXPECT_EQ(config["rope_theta"], 10000.0);
  EXPECT_EQ(config["vocab_size"], 9);
  EXPECT_EQ(config["bos_token_id"], 7);
  EXPECT_EQ(config["eos_token_id"], 8);
  EXPECT_FALSE(config.contains("rope_scaling"));
  EXPECT_EQ(read({}, "qwen2")["architectures"].dump(), R"(["Qwen2ForCausalLM"])");
  EXPECT_FALSE(read({}, "qwen2").contains("attention_bias"));
}

// As llama.cpp does: by keys, by a list that others write, and by the texts of tokens.
TEST_F(GgufConfigTest, EndsWhereAnyKeyOrTokenSaysSo) {
  const auto ends = [this](const std::vector<std::string>& keys) { return read(keys)["eos_token_id"].dump(); };
  EXPECT_EQ(ends({number("llama.vocab_size", 9), number("tokenizer.ggml.eos_token_id", 8)}), "8");
  EXPECT_EQ(ends({number("llama.vocab_size", 9), number("tokenizer.ggml.eos_token_id", 8),
                  number("tokenizer.ggml.eot_token_id", 3), number("tokenizer.ggml.eom_token_id", 8),
                  numbers<int32_t>("tokenizer.ggml.eos_token_ids", GgufValueType::i32, {8, 5})}),
            "[8,3,5]");
  EXPECT_EQ(ends({words("tokenizer.ggml.tokens", {"a", "<|im_end|>", "b", "<|eot_id|>", "<|end|>"})}), "[3,1,4]");
  EXPECT_EQ(ends({words("tokenizer.ggml.tokens", {"<end_of_turn>", "</s>"})}), "[0,1]");
  EXPECT_EQ(ends({words("tokenizer.ggml.tokens", {"<|end|>", "<|call|>", "<|return|>"})}), "[2,1]");
  EXPECT_EQ(ends({words("tokenizer.ggml.tokens", {"a", "end"})}), "null");
}

// The model decides what becomes of them, as of unknown fields of a config.json.
TEST_F(GgufConfigTest, HandsUnknownKeysOn) {
  EXPECT_EQ(read({real("llama.logit_scale", 2)}).count("llama.logit_scale"), 1u);
}

TEST_F(GgufConfigTest, ReadsYarn) {
  EXPECT_EQ(read({word("llama.rope.scaling.type", "yarn"), real("llama.rope.scaling.factor", 4),
                  number("llama.rope.scaling.original_context_length", 32)})["rope_scaling"]
                .dump(),
            R"({"type":"yarn","factor":4.0,"original_max_position_embeddings":32})");
}

// What llama.cpp's converter says of these models, and what it said of the first ones: their configs.
TEST(GgufConfig, OfDeepseekIsThatOfTheHuggingFaceModel) {
  const std::string data = HEADROOM_SOURCE_DIR "/tests/data/";
  for (const char* name : {"v3", "lite"}) {
    const nlohmann::ordered_json config = gguf_config(GgufFile(data + "gguf/deepseek-" + name + ".gguf"));
    const JsonObject theirs = JsonObject::read(data + "deepseek/" + name + "/config.json");
    for (const auto& [key, value] : theirs.json().items()) {
      constexpr std::string_view kUnsaid =
          " attention_bias attention_dropout aux_loss_alpha ep_size initializer_range num_nextn_predict_layers "
          "pretraining_tp seq_aux ";
      if (kUnsaid.find(" " + key + " ") != std::string_view::npos) continue;
      EXPECT_EQ(config.value(key, nlohmann::ordered_json("absent")), value) << name << " " << key;
    }
  }
}

TEST_F(GgufConfigTest, RefusesWhatMightChangeTheNumbers) {
  EXPECT_ERROR(InvalidInput, "llama.rope.dimension_count: is not supported; expected the size of a head, which is 8",
               read({number("llama.rope.dimension_count", 4)}));
  EXPECT_ERROR(InvalidInput, "llama.attention.value_length: is not supported; expected attention.key_length",
               read({number("llama.attention.value_length", 16)}));
  EXPECT_ERROR(InvalidInput, "llama.rope.scaling.type: is not supported; expected none, linear or yarn, got longrope",
               read({word("llama.rope.scaling.type", "longrope")}));
  EXPECT_ERROR(InvalidInput, "llama.expert_count: is not supported; expected 0: no experts",
               read({number("llama.expert_count", 8)}));
  EXPECT_ERROR(InvalidInput,
               "general.architecture: gemma is not supported; expected one of llama, qwen2, "
               "deepseek2",
               read({}, "gemma"));
  EXPECT_ERROR(InvalidInput, "deepseek2.attention.key_length: is missing", read({}, "deepseek2"));
  EXPECT_ERROR(InvalidInput,
               "llama.attention.head_count_kv: expected an integer from 1 to 65536, got an array of 2 u32",
               read({numbers<uint32_t>("llama.attention.head_count_kv", GgufValueType::u32, {4, 4})}));
}

// Llama 3.1 (8 over 8,192 positions), 3.2 (32), and one that is nobody's.
TEST_F(GgufConfigTest, FindsLlama3ScalingFromItsDivisors) {
  for (const Llama3Scaling& scaling :
       {Llama3Scaling{}, Llama3Scaling{32, 1, 4, 8192}, Llama3Scaling{5.5, 1, 3, 1024}}) {
    const nlohmann::ordered_json found = with_divisors(scaling, 500000.0)["rope_scaling"];
    EXPECT_EQ(found["rope_type"], "llama3");
    EXPECT_EQ(found["factor"], scaling.factor);
    EXPECT_EQ(found["low_freq_factor"], scaling.low_freq_factor);
    EXPECT_EQ(found["high_freq_factor"], scaling.high_freq_factor);
    EXPECT_EQ(found["original_max_position_embeddings"], scaling.original_positions);
  }
  // The wavelength of pair 35 is 2 pi 500000^(35/64) = 8219, between 8192/4 and 8192/1.
  const std::vector<float> divisors = llama3_divisors({}, 500000.0, 128);
  EXPECT_EQ(divisors[0], 1.0f);
  EXPECT_EQ(divisors[63], 8.0f);
  const double turns = 8192 / (2 * M_PI * std::pow(500000.0, 30.0 / 64));
  const double smooth = (turns - 1) / 3;
  EXPECT_NEAR(divisors[30], 1 / ((1 - smooth) / 8 + smooth), 1e-5);
  data_[130] ^= 0x40;
  EXPECT_FALSE(fit_llama3_scaling(std::vector<float>{1, 2, 1, 8}, 500000.0));
}

}  // namespace
}  // namespace headroom
