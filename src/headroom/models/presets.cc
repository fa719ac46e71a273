#include "headroom/models/presets.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

Json config(const char* architecture, const char* model_type, const PresetSize& size) {
  return {{"architectures", {architecture}},
          {"model_type", model_type},
          {"vocab_size", size.vocabulary},
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
Json deepseek_llm(const PresetSize& size) { return config("LlamaForCausalLM", "llama", size); }

Json deepseek_coder(const PresetSize& size) {
  Json json = deepseek_llm(size);
  json["max_position_embeddings"] = 16384;
  json["rope_theta"] = 100000.0;
  json["rope_scaling"] = {{"type", "linear"}, {"factor", 4.0}};
  json["bos_token_id"] = 32013;
  json["eos_token_id"] = 32014;
  return json;
}

Json r1_distill_llama(const PresetSize& size) {
  Json json = config("LlamaForCausalLM", "llama", size);
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
Json r1_distill_qwen_math(const PresetSize& size) {
  Json json = config("Qwen2ForCausalLM", "qwen2", size);
  json["max_position_embeddings"] = 131072;
  json["bos_token_id"] = 151646;
  json["eos_token_id"] = 151643;
  return json;
}

Json r1_distill_qwen(const PresetSize& size) {
  Json json = r1_distill_qwen_math(size);
  json["rms_norm_eps"] = 1e-5;
  json["rope_theta"] = 1000000.0;
  json["bos_token_id"] = 151643;
  return json;
}

// What DeepSeek-V2 and all after it share.
Json with_latents(const char* architecture, const char* model_type, const PresetSize& size, const Json& more) {
  Json json = config(architecture, model_type, size);
  json["max_position_embeddings"] = 163840;
  json.update(Json{{"attention_bias", false},
                   {"first_k_dense_replace", 1},
                   {"kv_lora_rank", 512},
                   {"moe_layer_freq", 1},
                   {"n_shared_experts", 2},
                   {"norm_topk_prob", false},
                   {"num_experts_per_tok", 6},
                   {"q_lora_rank", 1536},
                   {"qk_nope_head_dim", 128},
                   {"qk_rope_head_dim", 64},
                   {"rope_scaling",
                    {{"type", "yarn"},
                     {"factor", 40},
                     {"original_max_position_embeddings", 4096},
                     {"beta_fast", 32},
                     {"beta_slow", 1},
                     {"mscale", 0.707},
                     {"mscale_all_dim", 0.707}}},
                   {"scoring_func", "softmax"},
                   {"v_head_dim", 128}});
  json.update(more);
  return json;
}

Json deepseek_v2_lite(const PresetSize& size) {
  return with_latents("DeepseekV2ForCausalLM", "deepseek_v2", size,
                      {{"moe_intermediate_size", 1408},
                       {"n_group", 1},
                       {"n_routed_experts", 64},
                       {"q_lora_rank", nullptr},
                       {"routed_scaling_factor", 1.0},
                       {"topk_group", 1},
                       {"topk_method", "greedy"}});
}

Json deepseek_v2(const PresetSize& size) {
  return with_latents("DeepseekV2ForCausalLM", "deepseek_v2", size,
                      {{"moe_intermediate_size", 1536},
                       {"n_group", 8},
                       {"n_routed_experts", 160},
                       {"routed_scaling_factor", 16.0},
                       {"topk_group", 3},
                       {"topk_method", "group_limited_greedy"}});
}

// Without the layer behind them that predicts a further token, and in the bf16 that their FP8 is made of.
Json deepseek_v3(const PresetSize& size) {
  Json json = with_latents("DeepseekV3ForCausalLM", "deepseek_v3", size,
                           {{"bos_token_id", 0},
                            {"eos_token_id", 1},
                            {"first_k_dense_replace", 3},
                            {"moe_intermediate_size", 2048},
                            {"n_group", 8},
                            {"n_routed_experts", 256},
                            {"n_shared_experts", 1},
                            {"norm_topk_prob", true},
                            {"num_experts_per_tok", 8},
                            {"routed_scaling_factor", 2.5},
                            {"scoring_func", "sigmoid"},
                            {"topk_group", 4},
                            {"topk_method", "noaux_tc"}});
  json["rope_scaling"]["mscale"] = json["rope_scaling"]["mscale_all_dim"] = 1.0;
  return json;
}

Json small(const PresetSize& size) {
  Json json = config("LlamaForCausalLM", "llama", size);
  json["max_position_embeddings"] = 1024;
  json["torch_dtype"] = "float32";
  json.erase("bos_token_id");
  json.erase("eos_token_id");
  return json;
}

Json small_tied(const PresetSize& size) {
  Json json = small(size);
  json["tie_word_embeddings"] = true;
  return json;
}

constexpr PresetSize kSizeOfV3 = {129280, 7168, 18432, 61, 128, 128};
constexpr PresetSize kSizeOfLlm7B = {102400, 4096, 11008, 30, 32, 32};

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = {
      {"deepseek-llm-7b", "DeepSeek-LLM 7B: 30 layers of 4,096 features", deepseek_llm, kSizeOfLlm7B},
      {"deepseek-llm-67b", "DeepSeek-LLM 67B, grouped queries", deepseek_llm, {102400, 8192, 22016, 95, 64, 8}},
      {"deepseek-v2-lite", "16B, 64 experts, 6 a token", deepseek_v2_lite, {102400, 2048, 10944, 27, 16, 16}},
      {"deepseek-v2", "236B, 160 experts, 6 a token, as V2.5", deepseek_v2, {102400, 5120, 12288, 60, 128, 128}},
      {"deepseek-v3", "671B, 256 experts, 8 a token", deepseek_v3, kSizeOfV3},
      {"deepseek-r1", "as DeepSeek-V3", deepseek_v3, kSizeOfV3},
      {"deepseek-v3.1", "as DeepSeek-V3", deepseek_v3, kSizeOfV3},
      {"deepseek-coder-1.3b", "DeepSeek-Coder 1.3B", deepseek_coder, {32256, 2048, 5504, 24, 16, 16}},
      {"deepseek-coder-6.7b", "DeepSeek-Coder 6.7B", deepseek_coder, {32256, 4096, 11008, 32, 32, 32}},
      {"deepseek-coder-33b", "DeepSeek-Coder 33B, grouped queries", deepseek_coder, {32256, 7168, 19200, 62, 56, 8}},
      {"deepseek-coder-7b-v1.5", "DeepSeek-Coder 7B v1.5, as DeepSeek-LLM 7B", deepseek_llm, kSizeOfLlm7B},
      {"deepseek-math-7b", "DeepSeekMath 7B, as DeepSeek-LLM 7B", deepseek_llm, kSizeOfLlm7B},
      {"deepseek-r1-distill-llama-8b", "131,072 positions", r1_distill_llama, {128256, 4096, 14336, 32, 32, 8}},
      {"deepseek-r1-distill-llama-70b", "131,072 positions", r1_distill_llama, {128256, 8192, 28672, 80, 64, 8}},
      {"deepseek-r1-distill-qwen-1.5b", "131,072 positions", r1_distill_qwen_math, {151936, 1536, 8960, 28, 12, 2}},
      {"deepseek-r1-distill-qwen-7b", "131,072 positions", r1_distill_qwen_math, {152064, 3584, 18944, 28, 28, 4}},
      {"deepseek-r1-distill-qwen-14b", "131,072 positions", r1_distill_qwen, {152064, 5120, 13824, 48, 40, 8}},
      {"deepseek-r1-distill-qwen-32b", "131,072 positions", r1_distill_qwen, {152064, 5120, 27648, 64, 40, 8}},
      {"tiny-124m", "the size of GPT-2 small, tied embeddings", small_tied, {50257, 768, 2048, 12, 12, 12}},
      {"tiny-10m", "a good first model on two cores", small, {4096, 320, 864, 6, 5, 5}},
      {"tiny-4m", "the quick start", small, {2048, 256, 704, 4, 4, 4}},
      {"tiny-300k", "trains in seconds", small, {512, 64, 172, 5, 8, 8}}};
  return all;
}

const Preset* find_preset(std::string_view name) {
  const auto found =
      std::find_if(presets().begin(), presets().end(), [&](const Preset& preset) { return preset.name == name; });
  return found == presets().end() ? nullptr : &*found;
}

JsonObject config_of(const Preset& preset) { return JsonObject::of(preset.family(preset.size), preset.name); }

}  // namespace headroom
