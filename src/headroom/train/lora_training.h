// What LoRA trains in place of the model's weights (docs/techniques/lora.md).
#pragma once

#include <vector>

#include "headroom/models/adapter.h"
#include "headroom/train/checkpoint.h"
#include "headroom/train/training_request.h"

namespace headroom {

struct LoraTraining {
  AdapterConfig config;
  std::vector<LoraLayer> layers;  // none: all weights are trained
  int base_bits = 0;              // of the base's linear layers: 4, 8, or 0, as stored
  std::vector<std::string> base;  // their weights, adapters or not, where base_bits is not 0

  bool is_on() const { return !layers.empty(); }
};

// From the flags and, where options.adapter names one, from the adapter to continue. Throws InvalidInput naming the
// flag that is out of range or does not fit another or the model.
LoraTraining read_lora(const TrainingRequest& options, const Model& model);

// What of it changes the numbers; nothing where it is off.
RunSettings settings_of_lora(const LoraTraining& lora, const TrainingRequest& options, const Model& model);

}  // namespace headroom
