#include "headroom/train/lora_training.h"

#include <algorithm>
#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/base/int8_blocks.h"
#include "headroom/base/nf4.h"
#include "headroom/data/text_source.h"
#include "headroom/models/weights.h"

namespace headroom {
namespace {

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    if (end > begin) names.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

std::optional<DType> read_base_format(const TrainingRequest& options) {
  if (options.base_bits.empty()) return std::nullopt;
  if (options.base_bits == "4") return nf4().dtype();
  if (options.base_bits == "8") return int8_blocks().dtype();
  throw InvalidInput("--base-bits {}: expected 4 (NF4) or 8", options.base_bits);
}

AdapterConfig read_flags(const TrainingRequest& options) {
  AdapterConfig config;
  config.rank = options.lora_rank;
  config.alpha = options.lora_alpha;
  config.targets = split(options.lora_targets);
  if (!(config.alpha > 0) || !std::isfinite(config.alpha)) {
    throw InvalidInput("--lora-alpha {}: expected more than 0", config.alpha);
  }
  return config;
}

AdapterConfig read_adapter(const TrainingRequest& options) {
  const AdapterConfig config = read_adapter_config(options.adapter);
  if (options.lora_rank != 0 && options.lora_rank != config.rank) {
    throw InvalidInput("--lora-rank {}: the adapter {} has rank {}; leave the flag out", options.lora_rank,
                       options.adapter, config.rank);
  }
  return config;
}

}  // namespace

WeightFormats LoraTraining::formats(const Model& model) const {
  return [this, stored = model.stored_formats()](const std::string& weight) {
    return base.contains(weight) ? *base_format : stored(weight);
  };
}

LoraTraining read_lora(const TrainingRequest& options, const Model& model) {
  const std::optional<DType> base_format = read_base_format(options);
  if (options.lora_rank < 0) {
    throw InvalidInput("--lora-rank {}: expected 0 (all weights are trained) or more", options.lora_rank);
  }
  if (!(options.lora_dropout >= 0 && options.lora_dropout < 1)) {
    throw InvalidInput("--lora-dropout {}: expected a share, 0 <= dropout < 1", options.lora_dropout);
  }
  if (options.lora_rank == 0 && options.adapter.empty()) {
    for (const auto& [flag, given] :
         {std::pair{"--base-bits", base_format.has_value()}, {"--lora-dropout", options.lora_dropout > 0}}) {
      if (given)
        throw InvalidInput("{}: it is for adapters, beside which the model stays as it is; add --lora-rank 16", flag);
    }
    return {};
  }
  LoraTraining lora;
  lora.config = options.adapter.empty() ? read_flags(options) : read_adapter(options);
  if (options.lora_dropout > 0 || options.adapter.empty()) lora.config.dropout = options.lora_dropout;
  lora.base_format = base_format;
  if (base_format) {
    for (const LinearLayer& layer : linear_layers(model)) lora.base.insert(layer.weight);
  }
  lora.layers = options.adapter.empty() ? lora_layers(model, lora.config, "--lora-targets, --lora-rank")
                                        : open_adapter(options.adapter, model);
  return lora;
}

RunSettings settings_of_lora(const LoraTraining& lora, const TrainingRequest& options, const Model& model) {
  if (!lora.is_on()) return {};
  std::string targets;
  for (const std::string& target : lora.config.targets) targets += (targets.empty() ? "" : ",") + target;
  RunSettings settings = {
      {"--lora-rank", fmt::format("{}", lora.config.rank)},
      {"--lora-alpha", fmt::format("{}", lora.config.alpha)},
      {"--lora-dropout", fmt::format("{}", lora.config.dropout)},
      {"--lora-targets", targets},
      {"--base-bits", options.base_bits.empty() ? "as stored" : options.base_bits},
      {"a base of fingerprint", fmt::format("{:016x}", fingerprint_of_weights(options.model, model))}};
  if (options.adapter.empty()) return settings;
  const uint64_t adapter = fingerprint_of_file(options.adapter + "/" + kAdapterWeights);
  settings.emplace_back("an adapter of fingerprint", fmt::format("{:016x}", adapter));
  return settings;
}

}  // namespace headroom
