#include "headroom/models/adapter.h"

#include <filesystem>
#include <unordered_set>

#include "headroom/base/errors.h"
#include "headroom/formats/weights/weight_files.h"
#include "headroom/graph/op.h"
#include "headroom/models/weights.h"

namespace headroom {
namespace {

// "model.layers.3.self_attn.q_proj" of "model.layers.3.self_attn.q_proj.weight", which is what PEFT's names are of.
std::string_view module_of(std::string_view weight) { return weight.substr(0, weight.rfind('.')); }

std::string_view last_part(std::string_view module) { return module.substr(module.rfind('.') + 1); }

void check_targets(const std::vector<LinearLayer>& linear, const AdapterConfig& config, std::string_view where) {
  for (const std::string& target : config.targets) {
    bool found = false;
    for (const LinearLayer& layer : linear) found = found || is_named(module_of(layer.weight), target);
    if (found) continue;
    std::string names;
    std::unordered_set<std::string_view> listed;
    for (const LinearLayer& layer : linear) {
      const std::string_view name = last_part(module_of(layer.weight));
      if (listed.insert(name).second) names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
    }
    throw InvalidInput("{}: the target {} is no linear layer of the model; expected some of {}", where, target, names);
  }
  if (config.targets.empty()) throw InvalidInput("{}: expected the names of linear layers, got none", where);
}

WeightFiles open_files(const std::string& directory) {
  const std::string path = (std::filesystem::path(directory) / kAdapterWeights).string();
  std::error_code error;
  if (std::filesystem::exists(path, error)) return WeightFiles(path);
  const bool pickled = std::filesystem::exists(std::filesystem::path(directory) / "adapter_model.bin", error);
  throw InvalidInput("{}: has no {}{}", directory, kAdapterWeights,
                     pickled ? "; adapter_model.bin is not read, save it with safe_serialization=True" : "");
}

// Calls visit(name, type) for both matrices of each layer.
template <class Visit>
void for_each_matrix(const std::vector<LoraLayer>& layers, Visit&& visit) {
  for (const LoraLayer& layer : layers) {
    visit(lora_a_name(layer.weight), Shape{layer.rank, layer.inputs});
    visit(lora_b_name(layer.weight), Shape{layer.outputs, layer.rank});
  }
}

}  // namespace

std::vector<LinearLayer> linear_layers(const Model& model) {
  const Graph graph = forward_of_one_token(model);
  std::vector<LinearLayer> layers;
  for (const Node& node : graph.nodes) {
    if (node.op->name() != "matmul") continue;
    const Value& weight = graph.value(node.inputs[1]);
    if (weight.role == Role::weight) layers.push_back({weight.name, weight.type.shape[0], weight.type.shape[1]});
  }
  return layers;
}

std::vector<LoraLayer> lora_layers(const Model& model, const AdapterConfig& config, std::string_view where) {
  const std::vector<LinearLayer> linear = linear_layers(model);
  check_targets(linear, config, where);
  std::vector<LoraLayer> layers;
  for (const LinearLayer& layer : linear) {
    const std::string_view module = module_of(layer.weight);
    if (!config.has_target(module)) continue;
    const int64_t rank = config.rank_of(module);
    if (rank > std::min(layer.outputs, layer.inputs)) {
      throw InvalidInput("{}: the rank {} is above the dimensions of {}; expected at most {}", where, rank, module,
                         std::min(layer.outputs, layer.inputs));
    }
    layers.push_back({layer.weight, layer.outputs, layer.inputs, rank, config.scale_of(module), layers.size()});
  }
  return layers;
}

std::vector<LoraLayer> open_adapter(const std::string& directory, const Model& model) {
  if (directory.empty()) return {};
  const std::vector<LoraLayer> layers = lora_layers(model, read_adapter_config(directory), directory);
  const WeightFiles files = open_files(directory);
  std::unordered_set<std::string> names;
  for_each_matrix(layers, [&](const std::string& name, const Shape& shape) {
    const std::optional<WeightTensor> tensor = files.find(name);
    if (!tensor) throw InvalidInput("{}: tensor {} is missing; the adapter is of another model", directory, name);
    if (tensor->stored.shape != shape) {
      throw InvalidInput("{}: tensor {} has shape {} (expected {}); the adapter is of another model", directory, name,
                         to_string(tensor->stored.shape), to_string(shape));
    }
    names.insert(name);
  });
  for (int64_t i = 0; i < files.count(); ++i) {
    const std::string name(files.tensor(i).stored.name);
    if (names.contains(name)) continue;
    throw InvalidInput(
        "{}: tensor {} belongs to no layer that adapter_config.json names; the adapter is of another "
        "model",
        directory, name);
  }
  return layers;
}

LoadStatistics load_adapter(const std::string& directory, const Model& model, const Workspace& workspace) {
  if (directory.empty()) return {};
  open_adapter(directory, model);
  return load_bound(open_files(directory), Source::adapter, workspace);
}

}  // namespace headroom
