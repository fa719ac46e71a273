// adapter_config.json of a LoRA adapter, as PEFT 0.21 writes and reads it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace headroom {

// Whether PEFT's `name` means `layer`: it is all of it, or what it ends in behind a dot.
bool is_named(std::string_view layer, std::string_view name);

struct AdapterConfig {
  int64_t rank = 0;                  // r
  double alpha = 0;                  // lora_alpha
  double dropout = 0;                // lora_dropout
  bool rank_stabilized = false;      // use_rslora: the scale is alpha / sqrt(r) instead of alpha / r
  std::vector<std::string> targets;  // names of layers, or what they end in behind a dot: "q_proj"
  // What differs for some layers, by what their names end in; the first that fits counts.
  std::vector<std::pair<std::string, int64_t>> ranks;  // rank_pattern
  std::vector<std::pair<std::string, double>> alphas;  // alpha_pattern

  int64_t rank_of(std::string_view layer) const;
  double scale_of(std::string_view layer) const;
  bool has_target(std::string_view layer) const;
};

inline constexpr const char* kAdapterWeights = "adapter_model.safetensors";

// Of the adapter in `directory`. Throws InvalidInput naming the member that is missing, out of range, or asks for what
// headroom does not compute (DoRA, modules_to_save, fan_in_fan_out ...); a member that headroom does not know is
// refused unless it says nothing (null, false, empty).
AdapterConfig read_adapter_config(const std::string& directory);

// Writes DIR/adapter_config.json; `base` is the model that the adapter belongs to.
void write_adapter_config(const AdapterConfig& config, const std::string& base, const std::string& directory);

}  // namespace headroom
