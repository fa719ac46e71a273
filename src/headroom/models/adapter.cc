#include "headroom/models/adapter.h"

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/weights/adapter_file.h"
#include "headroom/formats/weights/weight_files.h"
#include "headroom/graph/op.h"
#include "headroom/models/weights.h"

namespace headroom {
namespace {

// "model.layers.3.self_attn.q_proj" of "model.layers.3.self_attn.q_proj.weight", which is what PEFT's names are of.
std::string_view module_of(std::string_view weight) { return weight.substr(0, weight.rfind('.')); }

std::string_view last_part(std::string_view module) { return module.substr(module.rfind('.') + 1); }

// What the model's other weights are to PEFT, where a module of that name is one of them.
std::string_view words_for(std::string_view module) {
  if (module.ends_with("embed_tokens")) return "the embedding, beside which headroom computes no adapter";
  if (module.ends_with("lm_head") || module.ends_with("score")) {
    return "the output layer, beside which headroom computes no adapter";
  }
  return "no linear layer of the model";
}

void check_targets(const std::vector<LinearLayer>& linear, const AdapterConfig& config, std::string_view where) {
  for (const NamePattern& target : config.targets) {
    const auto names_it = [&](const LinearLayer& layer) { return target.matches(module_of(layer.weight)); };
    if (std::ranges::any_of(linear, names_it)) continue;
    std::string names;
    std::unordered_set<std::string_view> listed;
    for (const LinearLayer& layer : linear) {
      const std::string_view name = last_part(module_of(layer.weight));
      if (listed.insert(name).second) names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
    }
    if (target.is_regex()) {
      throw InvalidInput(
          "{}: the regular expression {} is the whole name of no linear layer of the model, such as {}; "
          "the names end in {}",
          where, target.text(), linear.empty() ? "" : module_of(linear[0].weight), names);
    }
    throw InvalidInput("{}: the target {} is {}; expected some of {}", where, target.text(), words_for(target.text()),
                       names);
  }
  if (config.targets.empty()) throw InvalidInput("{}: expected the names of linear layers, got none", where);
}

bool is_factor(std::string_view tensor) {
  return tensor.ends_with(".lora_A.weight") || tensor.ends_with(".lora_B.weight");
}

// What a tensor is that is no matrix of the adapter's layers.
std::string words_for_left_over(std::string_view tensor, const Model& model) {
  const auto has = [&](std::string_view part) { return tensor.find(part) != std::string_view::npos; };
  if (has("lora_magnitude_vector")) return "is the magnitude of DoRA, which headroom does not compute";
  if (has("lora_embedding_")) return "is an adapter of the embedding, which headroom does not compute";
  if (tensor.ends_with(".bias")) return "is a bias that was trained, which headroom does not compute";
  if (has(".lora_") && !is_factor(tensor))
    return "is of an adapter that is more than LoRA, which headroom does not compute";
  if (!is_factor(tensor)) {
    std::string_view module = module_of(tensor);
    for (const std::string_view inner :
         {".modules_to_save.default", ".modules_to_save", ".base_layer", ".token_adapter"}) {
      if (module.ends_with(inner)) module.remove_suffix(inner.size());
    }
    for (const Parameter& parameter : model.parameters()) {
      if (last_part(module_of(parameter.name)) != last_part(module)) continue;
      return "is a whole layer beside LoRA (modules_to_save, or an embedding that was resized or saved with it), which "
             "headroom does not load";
    }
    if (module.ends_with("lm_head")) {
      return "is a whole layer beside LoRA, the output layer of a model that has the embedding for it, which headroom "
             "does not load";
    }
    return "is no matrix of LoRA";
  }
  const std::string_view module = tensor.substr(0, tensor.size() - std::string_view(".lora_A.weight").size());
  for (const LinearLayer& layer : linear_layers(model)) {
    if (module.ends_with(module_of(layer.weight))) {
      return "belongs to no layer that adapter_config.json names; its targets are not those that the file was saved "
             "with";
    }
  }
  const std::string_view words = words_for(module);
  if (words.starts_with("the ")) return fmt::format("is of {}", words);
  return "belongs to no layer of this model; the adapter is of another model";
}

// Of the adapter's layers, whether their matrices are there.
void check_matrix(const std::string& directory, const WeightFiles& files, const std::string& name,
                  const LoraLayer& layer, const Shape& shape) {
  const std::optional<WeightTensor> tensor = files.find(name);
  if (!tensor) {
    bool has_matrices = false;
    for (int64_t i = 0; i < files.count(); ++i) has_matrices = has_matrices || is_factor(files.tensor(i).stored.name);
    throw InvalidInput("{}: tensor {} is missing; {}", directory, name,
                       has_matrices ? "the adapter is of another model, or not all of its file is there"
                                    : "the file holds no matrices of LoRA");
  }
  const Shape& got = tensor->stored.shape;
  if (got == shape) return;
  const bool is_a = name == lora_a_name(layer.weight);
  const bool same_layer = got.rank() == 2 && got[is_a ? 1 : 0] == shape[is_a ? 1 : 0];
  if (!same_layer) {
    throw InvalidInput("{}: tensor {} has shape {} (expected {}); the adapter is of another model", directory, name,
                       to_string(got), to_string(shape));
  }
  throw InvalidInput(
      "{}: tensor {} has shape {} (expected {}); its rank is {}, adapter_config.json says {} (r, "
      "rank_pattern)",
      directory, name, to_string(got), to_string(shape), got[is_a ? 0 : 1], layer.rank);
}

// Calls visit(name, layer, shape) for both matrices of each layer.
template <class Visit>
void for_each_matrix(const std::vector<LoraLayer>& layers, Visit&& visit) {
  for (const LoraLayer& layer : layers) {
    visit(lora_a_name(layer.weight), layer, Shape{layer.rank, layer.inputs});
    visit(lora_b_name(layer.weight), layer, Shape{layer.outputs, layer.rank});
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
  if (layers.empty()) {
    throw InvalidInput(
        "{}: layers_to_transform, layers_pattern and exclude_modules leave none of the targets {}; "
        "the model has {} layers",
        where, join_names(config.targets), model.layers());
  }
  return layers;
}

WeightFiles open_adapter_files(const std::string& directory) {
  const std::string path = (std::filesystem::path(directory) / kAdapterWeights).string();
  std::error_code error;
  if (std::filesystem::exists(path, error)) return WeightFiles(std::make_unique<AdapterFile>(path));
  const bool pickled = std::filesystem::exists(std::filesystem::path(directory) / "adapter_model.bin", error);
  throw InvalidInput("{}: has no {}{}", directory, kAdapterWeights,
                     pickled ? "; adapter_model.bin is not read, save it with safe_serialization=True" : "");
}

std::vector<std::string> remarks_on_adapter(const std::string& directory, const Model& model) {
  std::vector<std::string> remarks;
  if (directory.empty()) return remarks;
  const AdapterConfig config = read_adapter_config(directory);
  const std::vector<LoraLayer> layers = lora_layers(model, config, directory);
  const auto remark = [&](std::string_view member, const auto& pattern) {
    for (const auto& [name, value] : pattern) {
      const auto fits = [&name](const LoraLayer& layer) { return name.matches(module_of(layer.weight)); };
      if (std::ranges::any_of(layers, fits)) continue;
      remarks.push_back(fmt::format("{}: {}: {} names no layer of the adapter; its value {} counts for none", directory,
                                    member, name.text(), value));
    }
  };
  remark("rank_pattern", config.ranks);
  remark("alpha_pattern", config.alphas);
  return remarks;
}

std::vector<LoraLayer> open_adapter(const std::string& directory, const Model& model) {
  if (directory.empty()) return {};
  const std::vector<LoraLayer> layers = lora_layers(model, read_adapter_config(directory), directory);
  const WeightFiles files = open_adapter_files(directory);
  std::unordered_set<std::string> names;
  for_each_matrix(layers, [&](const std::string& name, const LoraLayer& layer, const Shape& shape) {
    check_matrix(directory, files, name, layer, shape);
    names.insert(name);
  });
  for (int64_t i = 0; i < files.count(); ++i) {
    const std::string name(files.tensor(i).stored.name);
    if (names.contains(name)) continue;
    throw InvalidInput("{}: tensor {} {}{}", directory, printable(name), words_for_left_over(name, model),
                       is_factor(name) ? "" : "; try the whole model that PEFT's merge_and_unload() makes");
  }
  return layers;
}

LoadStatistics load_adapter(const std::string& directory, const Model& model, const Workspace& workspace) {
  if (directory.empty()) return {};
  open_adapter(directory, model);
  return load_bound(open_adapter_files(directory), Source::adapter, workspace);
}

}  // namespace headroom
