// The metadata of a GGUF file as the config.json that a Hugging Face directory of the same model would have.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "headroom/formats/gguf/gguf_file.h"

namespace headroom {

struct GgufHeads {
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  bool interleaved = false;
};

// Those that have keys and values of their own; none of them of deepseek2. Throws InvalidInput for an architecture that
// is not known, and for a key that is missing or absurd.
GgufHeads read_gguf_heads(const GgufFile& file);

// Throws as read_gguf_heads does, and InvalidInput naming a key that might change the numbers and is not understood.
// What it reads is as trustworthy as a config.json: shapes are checked by the model that is made from it.
nlohmann::ordered_json gguf_config(const GgufFile& file);

// llama3 scaling (Llama 3.1, section 3.4.1 of its model card's code): by what the frequency of each pair of a head is
// divided, D/2 numbers for heads of D. A GGUF file has the divisors, config.json the four numbers they come from.
struct Llama3Scaling {
  double factor = 8;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  double original_positions = 8192;
};
std::vector<float> llama3_divisors(const Llama3Scaling& scaling, double rope_theta, int64_t head_dim);
// The scaling whose divisors these are to within 1e-5 of each; nothing if there is none. Any two of low, high and
// original_positions stand for all of them, so low is taken as 1.
std::optional<Llama3Scaling> fit_llama3_scaling(std::span<const float> divisors, double rope_theta);

}  // namespace headroom
