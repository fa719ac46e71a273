#include "headroom/train/saved_tensors.h"

#include <algorithm>

#include "headroom/models/stack.h"

namespace headroom {
namespace {

// What a trained model's files have: what is trained, and what is fixed beside it.
std::vector<const PersistentValue*> saved_values(const Workspace& workspace) {
  const std::vector<PersistentValue>& all = workspace.plan().persistent;
  const auto is_trained_there = [&](Source source) {
    return std::any_of(all.begin(), all.end(), [&](const PersistentValue& value) {
      return is_trained(value.role, value.binding.get()) && value.binding != nullptr && value.binding->source == source;
    });
  };
  std::vector<const PersistentValue*> saved;
  for (const PersistentValue& value : all) {
    const bool is_fixed =
        value.binding != nullptr && value.binding->is_fixed && is_trained_there(value.binding->source);
    if (is_trained(value.role, value.binding.get()) || is_fixed) saved.push_back(&value);
  }
  return saved;
}

// Calls visit(weight, first place, end) for members that follow each other and are of one weight.
template <class Visit>
void for_each_weight(std::span<const SavedTensor> tensors, std::span<const size_t> members, Visit visit) {
  for (size_t begin = 0, end = 0; begin < members.size(); begin = end) {
    const size_t weight = tensors[members[begin]].weight;
    while (end < members.size() && tensors[members[end]].weight == weight) ++end;
    visit(weight, begin, end);
  }
}

}  // namespace

std::vector<StoredValue> saved_weights(const Workspace& workspace) {
  std::vector<StoredValue> weights;
  for (const PersistentValue* value : saved_values(workspace)) weights.push_back(workspace.stored(value->name));
  return weights;
}

std::vector<SavedTensor> saved_tensors(const Workspace& workspace) {
  std::vector<SavedTensor> tensors;
  size_t weight = 0;
  for (const PersistentValue* value : saved_values(workspace)) {
    const StoredValue stored = workspace.stored(value->name);
    if (value->binding == nullptr || !is_stack(*value->binding, stored.type.shape)) {
      tensors.push_back({stored.name, stored.type, weight++, 0});
      continue;
    }
    int64_t first = 0;
    for (const Slice& slice : value->binding->slices) {
      tensors.push_back({slice.tensor, {stored.type.dtype, slice.shape}, weight, first});
      first += slice.shape.elements();
    }
    ++weight;
  }
  return tensors;
}

std::vector<TensorDeclaration> declarations_of(std::span<const SavedTensor> tensors) {
  std::vector<TensorDeclaration> declarations;
  for (const SavedTensor& tensor : tensors) declarations.push_back({tensor.name, tensor.type});
  return declarations;
}

void write_tensors(SafetensorsWriter& file, std::span<const SavedTensor> tensors, std::span<const size_t> members,
                   std::span<const StoredValue> weights) {
  for_each_weight(tensors, members, [&](size_t weight, size_t begin, size_t end) {
    weights[weight].for_each_piece([&](int64_t first, const std::byte* data, int64_t elements) {
      for (size_t place = begin; place < end; ++place) {
        const SavedTensor& tensor = tensors[members[place]];
        const int64_t from = std::max(first, tensor.first);
        const int64_t to = std::min(first + elements, tensor.first + tensor.type.shape.elements());
        if (from >= to) continue;
        file.write_at(place, from - tensor.first, data + (from - first) * size_of(tensor.type.dtype), to - from);
      }
    });
  });
}

void send_tensors(std::span<const SavedTensor> tensors, std::span<const size_t> members,
                  std::span<const StoredValue> weights) {
  for_each_weight(tensors, members, [&](size_t weight, size_t, size_t) {
    if (weights[weight].parts) weights[weight].for_each_piece(nullptr);
  });
}

}  // namespace headroom
