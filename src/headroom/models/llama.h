// The llama family (Touvron et al. 2023) as DeepSeek-LLM and DeepSeek-Coder use it (arXiv 2401.02954, 2401.14196).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "headroom/models/model.h"

namespace headroom {

struct LlamaConfig {
  int64_t vocabulary = 0;
  int64_t features = 0;      // hidden_size
  int64_t mlp_features = 0;  // intermediate_size
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t max_positions = 0;
  double norm_eps = 1e-6;
  double rope_theta = 10000.0;
  double rope_factor = 1.0;  // linear scaling: positions are divided by it
  double initializer_range = 0.02;
  bool tied_embeddings = false;
  DType dtype = DType::f32;
  std::optional<int32_t> bos;
  std::vector<int32_t> eos;
};

// Reads config.json's fields. Throws InvalidInput as Architecture::read does.
LlamaConfig read_llama_config(const JsonObject& config);

// The config.json of such a model, as transformers reads it.
nlohmann::ordered_json to_json(const LlamaConfig& config);

std::unique_ptr<Model> make_llama(const LlamaConfig& config);

}  // namespace headroom
