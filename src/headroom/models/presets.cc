#include "headroom/models/presets.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

// The dimensions in which models of one family differ.
struct Size {
  int64_t features, mlp_features, layers, heads, kv_heads;
};

Json config(const char* architecture, const char* model_type, const Size& size) {
  return {{"architectures", {architecture}},
          {"model_type", model_type},
          {"vocab_size", 102400},
          {"hidden_size", size.features},
          {"intermediate_size", size.mlp_features},
          {"num_hidden_layers", size.layers},
          {"num_attention_heads", size.heads},
          {"num_key_value_heads", size.kv_heads},
          {"hidden_act", "silu"},
          {"max_position_embeddings", 4096},
          {"initializer_range", 0.02},
          {"rms_norm_eps", 1e-6},
          {"rope_theta", 10000.0},
          {"tie_word_embeddings", false},
          {"torch_dtype", "bfloat16"},
          {"bos_token_id", 100000},
          {"eos_token_id", 100001}};
}

// DeepSeek-LLM, DeepSeekMath and DeepSeek-Coder v1.5. Sources here and below: the config.json files of the models of
// these names at huggingface.co/deepseek-ai, of the -base ones where there are several.
Json deepseek_llm(const Size& size) { return config("LlamaForCausalLM", "llama", size); }

Json deepseek_coder(const Size& size) {
  Json json = deepseek_llm(size);
  json["vocab_size"] = 32256;
  json["max_position_embeddings"] = 16384;
  json["rope_theta"] = 100000.0;
  json["rope_scaling"] = {{"type", "linear"}, {"factor", 4.0}};
  json["bos_token_id"] = 32013;
  json["eos_token_id"] = 32014;
  return json;
}

Json r1_distill_llama(const Size& size) {
  Json json = config("LlamaForCausalLM", "llama", size);
  json["vocab_size"] = 128256;
  json["max_position_embeddings"] = 131072;
  json["rms_norm_eps"] = 1e-5;
  json["rope_theta"] = 500000.0;
  json["rope_scaling"] = {{"rope_type", "llama3"},
                          {"factor", 8.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", 8192}};
  json["bos_token_id"] = 128000;
  json["eos_token_id"] = 128001;
  return json;
}

// The two smaller ones continue Qwen2.5-Math, the two larger ones Qwen2.5.
Json r1_distill_qwen_math(const Size& size, int64_t vocabulary) {
  Json json = config("Qwen2ForCausalLM", "qwen2", size);
  json["vocab_size"] = vocabulary;
  json["max_position_embeddings"] = 131072;
  json["bos_token_id"] = 151646;
  json["eos_token_id"] = 151643;
  return json;
}

Json r1_distill_qwen(const Size& size) {
  Json json = r1_distill_qwen_math(size, 152064);
  json["rms_norm_eps"] = 1e-5;
  json["rope_theta"] = 1000000.0;
  json["bos_token_id"] = 151643;
  return json;
}

Json small(int64_t vocabulary, const Size& size, bool tied = false) {
  Json json = config("LlamaForCausalLM", "llama", size);
  json["vocab_size"] = vocabulary;
  json["max_position_embeddings"] = 1024;
  json["tie_word_embeddings"] = tied;
  json["torch_dtype"] = "float32";
  json.erase("bos_token_id");
  json.erase("eos_token_id");
  return json;
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = {
      {"deepseek-llm-7b", "DeepSeek-LLM 7B: 30 layers of 4,096 features",
       [] {
         return deepseek_llm({4096, 11008, 30, 32, 32});
       }},
      {"deepseek-llm-67b", "DeepSeek-LLM 67B: 95 layers of 8,192 features, grouped queries",
       [] {
         return deepseek_llm({8192, 22016, 95, 64, 8});
       }},
      {"deepseek-coder-1.3b", "DeepSeek-Coder 1.3B",
       [] {
         return deepseek_coder({2048, 5504, 24, 16, 16});
       }},
      {"deepseek-coder-5.7b-mqa", "DeepSeek-Coder 5.7B, one head of keys and values",
       [] {
         return deepseek_coder({4096, 11008, 32, 32, 1});
       }},
      {"deepseek-coder-6.7b", "DeepSeek-Coder 6.7B",
       [] {
         return deepseek_coder({4096, 11008, 32, 32, 32});
       }},
      {"deepseek-coder-33b", "DeepSeek-Coder 33B, grouped queries",
       [] {
         return deepseek_coder({7168, 19200, 62, 56, 8});
       }},
      {"deepseek-coder-7b-v1.5", "DeepSeek-Coder 7B v1.5, the shape of DeepSeek-LLM 7B",
       [] {
         return deepseek_llm({4096, 11008, 30, 32, 32});
       }},
      {"deepseek-math-7b", "DeepSeekMath 7B, the shape of DeepSeek-LLM 7B",
       [] {
         return deepseek_llm({4096, 11008, 30, 32, 32});
       }},
      {"deepseek-r1-distill-llama-8b", "R1-Distill-Llama 8B, 131,072 positions",
       [] {
         return r1_distill_llama({4096, 14336, 32, 32, 8});
       }},
      {"deepseek-r1-distill-llama-70b", "R1-Distill-Llama 70B, 131,072 positions",
       [] {
         return r1_distill_llama({8192, 28672, 80, 64, 8});
       }},
      {"deepseek-r1-distill-qwen-1.5b", "R1-Distill-Qwen 1.5B, 131,072 positions",
       [] {
         return r1_distill_qwen_math({1536, 8960, 28, 12, 2}, 151936);
       }},
      {"deepseek-r1-distill-qwen-7b", "R1-Distill-Qwen 7B, 131,072 positions",
       [] {
         return r1_distill_qwen_math({3584, 18944, 28, 28, 4}, 152064);
       }},
      {"deepseek-r1-distill-qwen-14b", "R1-Distill-Qwen 14B, 131,072 positions",
       [] {
         return r1_distill_qwen({5120, 13824, 48, 40, 8});
       }},
      {"deepseek-r1-distill-qwen-32b", "R1-Distill-Qwen 32B, 131,072 positions",
       [] {
         return r1_distill_qwen({5120, 27648, 64, 40, 8});
       }},
      {"tiny-124m", "124M parameters, the size of GPT-2 small, tied embeddings",
       [] {
         return small(50257, {768, 2048, 12, 12, 12}, true);
       }},
      {"tiny-10m", "10M parameters: a good first model on two cores",
       [] {
         return small(4096, {320, 864, 6, 5, 5});
       }},
      {"tiny-4m", "4M parameters: the quick start",
       [] {
         return small(2048, {256, 688, 4, 4, 4});
       }},
      {"tiny-300k", "0.3M parameters: trains in seconds", [] {
         return small(512, {64, 172, 5, 8, 8});
       }}};
  return all;
}

const Preset* find_preset(std::string_view name) {
  const auto found =
      std::find_if(presets().begin(), presets().end(), [&](const Preset& preset) { return preset.name == name; });
  return found == presets().end() ? nullptr : &*found;
}

JsonObject config_of(const Preset& preset) { return JsonObject::of(preset.config(), preset.name); }

}  // namespace headroom
