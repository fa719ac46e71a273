// LoRA adapters of a model: PEFT directories (adapter_config.json, adapter_model.safetensors), which layers they belong
// to, and their matrices in a workspace.
#pragma once

#include <string>
#include <vector>

#include "headroom/formats/weights/adapter_config.h"
#include "headroom/formats/weights/tensor_loader.h"
#include "headroom/models/model.h"
#include "headroom/ops/lora.h"
#include "headroom/runtime/workspace.h"

namespace headroom {

// The linear layers of the model's forward, the output layer not among them.
struct LinearLayer {
  std::string weight;  // [outputs, inputs]
  int64_t outputs = 0;
  int64_t inputs = 0;
};
std::vector<LinearLayer> linear_layers(const Model& model);

// Those that the adapter has matrices for, in the order of the forward. Throws InvalidInput that begins with `where`
// when a target names none of them (the message lists what there is) or a rank is above a layer's dimensions.
std::vector<LoraLayer> lora_layers(const Model& model, const AdapterConfig& config, std::string_view where);

struct Adapter {
  std::vector<LoraLayer> layers;
  bool has_magnitudes = false;     // DoRA: each of the layers has them
  std::vector<std::string> whole;  // tensors of the model that it has others for
};

// The adapter in `directory`, whose tensors are there and fit the model; nothing for an empty path. Throws InvalidInput
// naming the file and what is wrong with it.
Adapter open_adapter(const std::string& directory, const Model& model);

// The layers of one that runs beside the model. Throws as above, and InvalidInput for DoRA, which is only merged.
std::vector<LoraLayer> open_adapter_to_run(const std::string& directory, const Model& model);
// The same of one that training goes on with, which has no whole layers either.
std::vector<LoraLayer> open_adapter_to_train(const std::string& directory, const Model& model);

// The file of its tensors. Throws InvalidInput where it is missing or damaged.
WeightFiles open_adapter_files(const std::string& directory);

// What in the adapter's config counts for none of its layers, a sentence each: a key of alpha_pattern that is mistyped.
std::vector<std::string> remarks_on_adapter(const std::string& directory, const Model& model);

// Reads the matrices, and whole layers after the model's own, into their places in the workspace, by way of its staging
// memory; the latter are rounded to what the model's are held in. Throws as open_adapter, and for a NaN. Nothing for an
// empty path.
LoadStatistics load_adapter(const std::string& directory, const Model& model, const Workspace& workspace);

}  // namespace headroom
