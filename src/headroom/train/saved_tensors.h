// The weights of a trained model as the tensors that files of the model, or of an adapter, hold.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "headroom/formats/weights/safetensors_writer.h"
#include "headroom/runtime/workspace.h"

namespace headroom {

// Those that are trained, and those that are fixed beside them (graph/binding.h).
std::vector<StoredValue> saved_weights(const Workspace& workspace);

// Elements of the weight of that number, from `first` on: all of them, or one of a stack's tensors.
struct SavedTensor {
  std::string name;
  Type type;
  size_t weight;
  int64_t first;
};

// In the order of the weights.
std::vector<SavedTensor> saved_tensors(const Workspace& workspace);
std::vector<TensorDeclaration> declarations_of(std::span<const SavedTensor> tensors);

// Writes those of a file, `members` in its order.
void write_tensors(SafetensorsWriter& file, std::span<const SavedTensor> tensors, std::span<const size_t> members,
                   std::span<const StoredValue> weights);
// Of another rank than the first: sends what that writes meanwhile.
void send_tensors(std::span<const SavedTensor> tensors, std::span<const size_t> members,
                  std::span<const StoredValue> weights);

}  // namespace headroom
