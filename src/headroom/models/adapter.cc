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

// What a tensor is that is no part of the adapter's layers.
std::string words_for_left_over(std::string_view tensor, const Model& model) {
  const auto has = [&](std::string_view part) { return tensor.find(part) != std::string_view::npos; };
  if (has("lora_magnitude_vector"))
    return "is a magnitude of DoRA, of which adapter_config.json does not speak (use_dora)";
  if (has("lora_embedding_")) return "is an adapter of the embedding, which headroom does not compute";
  if (tensor.ends_with(".bias")) return "is a bias that was trained, which headroom does not compute";
  if (has(".lora_") && !is_factor(tensor))
    return "is of an adapter that is more than LoRA, which headroom does not compute";
  if (!is_factor(tensor)) {
    const std::vector<Alias> aliases = model.aliases();
    if (std::ranges::any_of(aliases, [&](const Alias& alias) { return alias.name == tensor; })) {
      return "is a whole layer beside LoRA, the output layer of a model that has the embedding for it, which headroom "
             "does not load";
    }
    return "is no matrix of LoRA and no layer of this model";
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

// Whether the layer that the adapter brings for a tensor of the model fits it.
void check_whole(const std::string& directory, const WeightFiles& files, const ModelTensor& tensor) {
  const std::optional<WeightTensor> whole = files.find(tensor.name);
  if (!whole) {
    throw InvalidInput("{}: tensor {} is missing, a layer of modules_to_save; not all of the file is there", directory,
                       tensor.name);
  }
  if (whole->stored.shape == tensor.shape) return;
  throw InvalidInput(
      "{}: tensor {} has shape {}, of a layer that was resized; expected {}, the model's; try the whole model that "
      "PEFT's merge_and_unload() makes",
      directory, tensor.name, to_string(whole->stored.shape), to_string(tensor.shape));
}

// Whether an embedding that PEFT trained is the output layer as well, nothing in the files says.
void refuse_tied(const std::string& directory, const ModelTensor& tensor, const Model& model) {
  for (const Alias& alias : model.aliases()) {
    if (alias.parameter != tensor.name) continue;
    throw InvalidInput(
        "{}: has {} as a whole layer, beside a model that has it for the output layer, too, which headroom does not "
        "load; try the whole model that PEFT's merge_and_unload() makes",
        directory, tensor.name);
  }
}

std::vector<std::string> whole_layers(const std::string& directory, const WeightFiles& files,
                                      const AdapterConfig& config, const Model& model) {
  std::vector<std::string> whole;
  for (const ModelTensor& tensor : model.tensors()) {
    const auto names_it = [&](const NamePattern& name) { return name.matches(module_of(tensor.name)); };
    if (!files.find(tensor.name) && std::ranges::none_of(config.whole, names_it)) continue;
    refuse_tied(directory, tensor, model);
    check_whole(directory, files, tensor);
    whole.push_back(tensor.name);
  }
  return whole;
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
    for (const auto& entry : pattern) {
      const auto fits = [&](const LoraLayer& layer) { return entry.first.matches(module_of(layer.weight)); };
      if (std::ranges::any_of(layers, fits)) continue;
      remarks.push_back(fmt::format("{}: {}: {} names no layer of the adapter; its value {} counts for none", directory,
                                    member, entry.first.text(), entry.second));
    }
  };
  remark("rank_pattern", config.ranks);
  remark("alpha_pattern", config.alphas);
  return remarks;
}

Adapter open_adapter(const std::string& directory, const Model& model) {
  if (directory.empty()) return {};
  const AdapterConfig config = read_adapter_config(directory);
  const WeightFiles files = open_adapter_files(directory);
  Adapter adapter = {lora_layers(model, config, directory), config.has_magnitudes,
                     whole_layers(directory, files, config, model)};
  std::unordered_set<std::string> names(adapter.whole.begin(), adapter.whole.end());
  for (const LoraLayer& layer : adapter.layers) {
    const auto check = [&](const std::string& name, const Shape& shape) {
      check_matrix(directory, files, name, layer, shape);
      names.insert(name);
    };
    check(lora_a_name(layer.weight), {layer.rank, layer.inputs});
    check(lora_b_name(layer.weight), {layer.outputs, layer.rank});
    if (adapter.has_magnitudes) check(lora_magnitude_name(layer.weight), {layer.outputs});
    if (!names.contains(layer.weight)) continue;
    throw InvalidInput("{}: {} is there whole and as a target of LoRA; expected one of the two", directory,
                       layer.weight);
  }
  for (int64_t i = 0; i < files.count(); ++i) {
    const std::string name(files.tensor(i).stored.name);
    if (names.contains(name)) continue;
    throw InvalidInput("{}: tensor {} {}{}", directory, printable(name), words_for_left_over(name, model),
                       is_factor(name) ? "" : "; try the whole model that PEFT's merge_and_unload() makes");
  }
  return adapter;
}

std::vector<LoraLayer> open_adapter_to_run(const std::string& directory, const Model& model) {
  Adapter adapter = open_adapter(directory, model);
  if (!adapter.has_magnitudes) return std::move(adapter.layers);
  throw InvalidInput(
      "{}: use_dora: DoRA scales the rows of the model's own weights, which headroom computes where it merges them; "
      "try "
      "headroom convert MODEL --adapter {} --output DIR, and run that",
      directory, directory);
}

std::vector<LoraLayer> open_adapter_to_train(const std::string& directory, const Model& model) {
  const Adapter adapter = open_adapter(directory, model);
  if (adapter.whole.empty()) return open_adapter_to_run(directory, model);
  throw InvalidInput(
      "{}: has {} as a whole layer, which is not trained on beside LoRA; try headroom convert MODEL --adapter {} "
      "--output DIR, and a new adapter for that",
      directory, adapter.whole.front(), directory);
}

LoadStatistics load_adapter(const std::string& directory, const Model& model, const Workspace& workspace) {
  if (directory.empty()) return {};
  open_adapter(directory, model);
  const WeightFiles files = open_adapter_files(directory);
  const LoadStatistics matrices = load_bound(files, Source::adapter, workspace);
  const LoadStatistics whole = load_bound(files, Source::model, workspace);
  return {matrices.bytes + whole.bytes, matrices.seconds + whole.seconds};
}

}  // namespace headroom
