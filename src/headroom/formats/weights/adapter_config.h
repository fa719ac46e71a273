// adapter_config.json of a LoRA adapter, as PEFT 0.21 writes and reads it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "headroom/formats/weights/name_pattern.h"

namespace headroom {

struct AdapterConfig {
  int64_t rank = 0;                        // r
  double alpha = 0;                        // lora_alpha
  double dropout = 0;                      // lora_dropout
  bool rank_stabilized = false;            // use_rslora: the scale is alpha / sqrt(r) instead of alpha / r
  std::vector<NamePattern> targets = {};   // target_modules: names, or one regular expression
  std::vector<NamePattern> excluded = {};  // exclude_modules, which has the last word
  bool has_magnitudes = false;             // use_dora: rows of a base with its adapter are scaled to magnitudes
  std::vector<NamePattern> whole = {};     // modules_to_save: layers that the adapter brings whole
  // Which of the model's layers the targets are in: all of them where `layers` is empty. A layer's number stands behind
  // one of `lists` ("layers"), or where that is empty behind any name but the first.
  std::vector<int64_t> layers = {};     // layers_to_transform
  std::vector<std::string> lists = {};  // layers_pattern
  // What differs for some layers; the first that fits counts.
  std::vector<std::pair<NamePattern, int64_t>> ranks = {};  // rank_pattern
  std::vector<std::pair<NamePattern, double>> alphas = {};  // alpha_pattern
  std::string base = {};  // base_model_name_or_path: what it was trained beside, for messages

  int64_t rank_of(std::string_view layer) const;
  double scale_of(std::string_view layer) const;
  bool has_target(std::string_view layer) const;
};

// "q_proj,v_proj"
std::string join_names(const std::vector<NamePattern>& names);

inline constexpr const char* kAdapterConfig = "adapter_config.json";
inline constexpr const char* kAdapterWeights = "adapter_model.safetensors";

// Of the adapter in `directory`. Throws InvalidInput naming the member that is missing, out of range, or asks for what
// headroom does not compute (QALoRA, trained biases, a base that PiSSA changed ...); a member that headroom does not
// know is refused unless it says nothing (null, false, empty).
AdapterConfig read_adapter_config(const std::string& directory);

// Writes DIR/adapter_config.json; `base` is the model that the adapter belongs to.
void write_adapter_config(const AdapterConfig& config, const std::string& base, const std::string& directory);

}  // namespace headroom
