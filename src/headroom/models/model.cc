#include "headroom/models/model.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <unordered_set>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_object.h"

extern "C" {
[[gnu::weak]] extern const headroom::Architecture* const __start_headroom_architectures[];
[[gnu::weak]] extern const headroom::Architecture* const __stop_headroom_architectures[];
}

namespace headroom {

const Architecture& find_architecture(const JsonObject& config) {
  const std::vector<std::string> names =
      config.has("architectures") ? config.texts("architectures") : std::vector<std::string>{};
  const std::span<const Architecture* const> table{__start_headroom_architectures, __stop_headroom_architectures};
  std::vector<std::string_view> known;
  for (const Architecture* architecture : table) {
    for (const std::string& name : names) {
      if (name == architecture->name || name == architecture->classifier) return *architecture;
    }
    // A config without the list says what it is by model_type ("llama").
    if (names.empty() && config.text_or("model_type", "") == architecture->model_type) return *architecture;
    known.insert(known.end(), {architecture->name, architecture->classifier});
  }
  const char* key = names.empty() ? "model_type" : "architectures";
  std::ranges::sort(known);
  throw InvalidInput("{}: unknown architecture {}; expected one of {}", config.where(key), config.show(key),
                     fmt::join(known, ", "));
}

Graph forward_of_one_token(const Model& model) {
  Graph graph;
  Builder build(graph);
  model.forward(build, declare_step_inputs(build, model, {.tokens = 1, .positions = 1}), all_in(DType::f32));
  return graph;
}

WeightFormats Model::stored_formats() const {
  return [this](const std::string& weight) {
    const auto found = stored_formats_.find(weight);
    return found == stored_formats_.end() ? stored_dtype() : found->second;
  };
}

std::vector<Parameter> Model::parameters() const {
  Graph graph = forward_of_one_token(*this);
  Builder build(graph);
  head_weight(build, all_in(DType::f32));
  std::vector<Parameter> parameters;
  for (const ValueId id : graph.inputs) {
    const Value& value = graph.value(id);
    if (value.role == Role::weight) parameters.push_back({value.name, value.type.shape, value.binding});
  }
  return parameters;
}

std::vector<ModelTensor> Model::tensors() const {
  std::vector<ModelTensor> tensors;
  std::unordered_set<std::string_view> names;
  const std::vector<Parameter> all = parameters();
  for (const Parameter& parameter : all) {
    for (const Slice& slice : parameter.binding->slices) {
      if (names.insert(slice.tensor).second) tensors.push_back({slice.tensor, slice.shape});
    }
  }
  return tensors;
}

int64_t parameter_count(const Model& model) {
  int64_t count = 0;
  for (const Parameter& parameter : model.parameters()) count += parameter.shape.elements();
  return count;
}

}  // namespace headroom
