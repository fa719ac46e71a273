// What LoRA trains in place of the model's weights (docs/techniques/lora.md).
#pragma once

#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "headroom/models/adapter.h"
#include "headroom/train/checkpoint.h"
#include "headroom/train/training_request.h"

namespace headroom {

struct LoraTraining {
  AdapterConfig config;
  std::vector<LoraLayer> layers;         // none: all weights are trained
  std::optional<DType> base_format;      // of the base's linear layers, adapters or not; none: as stored
  std::unordered_set<std::string> base;  // their weights, where there is one

  bool is_on() const { return !layers.empty(); }
  // Of the base's weights. Borrows both.
  WeightFormats formats(const Model& model) const;
};

// From the flags and, where options.adapter names one, from the adapter to continue. Throws InvalidInput naming the
// flag that is out of range or does not fit another or the model.
LoraTraining read_lora(const TrainingRequest& options, const Model& model);

// What of it changes the numbers; nothing where it is off.
RunSettings settings_of_lora(const LoraTraining& lora, const TrainingRequest& options, const Model& model);

}  // namespace headroom
