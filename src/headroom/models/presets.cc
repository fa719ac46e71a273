#include "headroom/models/presets.h"

#include <algorithm>

namespace headroom {
namespace {

// Sources: the config.json files of deepseek-ai/deepseek-llm-{7b,67b}-base and
// deepseek-ai/deepseek-coder-{1.3b,6.7b,33b}-base.
LlamaConfig deepseek_llm(int64_t features, int64_t mlp_features, int64_t layers, int64_t heads, int64_t kv_heads) {
  LlamaConfig config;
  config.vocabulary = 102400;
  config.features = features;
  config.mlp_features = mlp_features;
  config.layers = layers;
  config.heads = heads;
  config.kv_heads = kv_heads;
  config.head_dim = features / heads;
  config.max_positions = 4096;
  config.dtype = DType::bf16;
  config.bos = 100000;
  config.eos = {100001};
  return config;
}

LlamaConfig deepseek_coder(int64_t features, int64_t mlp_features, int64_t layers, int64_t heads, int64_t kv_heads) {
  LlamaConfig config = deepseek_llm(features, mlp_features, layers, heads, kv_heads);
  config.vocabulary = 32256;
  config.max_positions = 16384;
  config.rope_theta = 100000.0;
  config.rope_factor = 4.0;
  config.bos = 32013;
  config.eos = {32014};
  return config;
}

LlamaConfig small(int64_t vocabulary, int64_t features, int64_t mlp_features, int64_t layers, int64_t heads) {
  LlamaConfig config = deepseek_llm(features, mlp_features, layers, heads, heads);
  config.vocabulary = vocabulary;
  config.max_positions = 1024;
  config.dtype = DType::f32;
  config.bos.reset();
  config.eos.clear();
  return config;
}

LlamaConfig tied(LlamaConfig config) {
  config.tied_embeddings = true;
  return config;
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = {
      {"deepseek-llm-7b", "DeepSeek-LLM 7B: 30 layers of 4,096 features", deepseek_llm(4096, 11008, 30, 32, 32)},
      {"deepseek-llm-67b", "DeepSeek-LLM 67B: 95 layers of 8,192 features, grouped queries",
       deepseek_llm(8192, 22016, 95, 64, 8)},
      {"deepseek-coder-1.3b", "DeepSeek-Coder 1.3B", deepseek_coder(2048, 5504, 24, 16, 16)},
      {"deepseek-coder-6.7b", "DeepSeek-Coder 6.7B", deepseek_coder(4096, 11008, 32, 32, 32)},
      {"deepseek-coder-33b", "DeepSeek-Coder 33B, grouped queries", deepseek_coder(7168, 19200, 62, 56, 8)},
      {"tiny-124m", "124M parameters, the size of GPT-2 small, tied embeddings", tied(small(50257, 768, 2048, 12, 12))},
      {"tiny-10m", "10M parameters: a good first model on two cores", small(4096, 320, 864, 6, 5)},
      {"tiny-4m", "4M parameters: the quick start", small(2048, 256, 688, 4, 4)},
      {"tiny-300k", "0.3M parameters: trains in seconds", small(512, 64, 172, 5, 8)}};
  return all;
}

const Preset* find_preset(std::string_view name) {
  const auto found =
      std::find_if(presets().begin(), presets().end(), [&](const Preset& preset) { return preset.name == name; });
  return found == presets().end() ? nullptr : &*found;
}

}  // namespace headroom
