#include "headroom/formats/weights/adapter_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_object.h"

namespace headroom {
namespace {

constexpr int64_t kMostRank = 1 << 20;

// Where the file comes from, how PEFT made what stands in it, and what counts only beside members that are refused.
// Of fan_in_fan_out PEFT itself takes no notice where layers are linear, as these are.
constexpr std::array<std::string_view, 16> kSilent = {"auto_mapping",
                                                      "base_model_name_or_path",
                                                      "inference_mode",
                                                      "peft_version",
                                                      "revision",
                                                      "task_type",
                                                      "megatron_core",
                                                      "megatron_config",
                                                      "loftq_config",
                                                      "qalora_group_size",
                                                      "runtime_config",
                                                      "eva_config",
                                                      "corda_config",
                                                      "lora_ga_config",
                                                      "ensure_weight_tying",
                                                      "fan_in_fan_out"};

// Ways of beginning that leave the base as it is, so that the adapter is one like any other; PEFT heeds no case.
constexpr std::array<std::string_view, 4> kPlainBeginnings = {"gaussian", "orthogonal", "eva", "mica"};

// Members that would change the numbers, and the words for what headroom does not compute.
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kRefused = {{
    {"use_qalora", "QALoRA"},
    {"lora_bias", "biases of the adapter"},
    {"trainable_token_indices", "rows of the embedding that are trained"},
    {"target_parameters", "adapters of parameters that are no linear layers"},
    {"layer_replication", "layers that occur several times"},
    {"alora_invocation_tokens", "an adapter that begins in mid-text (aLoRA)"},
    {"arrow_config", "a choice among adapters (Arrow)"},
    {"use_bdlora", "block-diagonal adapters (BD-LoRA)"},
    {"velora_config", "VeLoRA"},
    {"monteclora_config", "MonteCLoRA"},
    {"kasa_config", "KaSA"},
}};

bool says_nothing(const nlohmann::ordered_json& value) {
  if (value.is_null() || value == false) return true;
  return (value.is_object() || value.is_array() || value.is_string()) && value.empty();
}

void refuse_unsupported(const JsonObject& config) {
  const std::string kind = config.text("peft_type");
  if (kind != "LORA") throw InvalidInput("{}: expected LORA, got {}", config.where("peft_type"), kind);
  if (config.text_or("bias", "none") != "none") {
    throw InvalidInput("{}: asks for trained biases, which headroom does not compute; expected none, got {}",
                       config.where("bias"), config.show("bias"));
  }
  for (const auto& [key, words] : kRefused) {
    if (!config.has(key) || says_nothing(config.json().at(std::string(key)))) continue;
    throw InvalidInput(
        "{}: asks for {}, which headroom does not compute; expected it to be absent, got {}; try the whole model that "
        "PEFT's merge_and_unload() makes of base and adapter",
        config.where(key), words, config.show(key));
  }
}

// PiSSA, OLoRA and their like take what A and B begin as out of the base, which PEFT does again whenever it loads the
// adapter: it belongs to what is left.
void refuse_changed_base(const JsonObject& config) {
  constexpr std::string_view kKey = "init_lora_weights";
  if (!config.has(kKey) || !config.is_text(kKey)) return;
  std::string way = config.text(kKey);
  std::transform(way.begin(), way.end(), way.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  if (std::ranges::find(kPlainBeginnings, way) != kPlainBeginnings.end()) return;
  throw InvalidInput(
      "{}: {} changes the base's own weights when the adapter is loaded, which headroom does not compute; expected "
      "true, false, gaussian, orthogonal, eva or mica; try PEFT's save_pretrained with "
      "path_initial_model_for_weight_conversion, or merge_and_unload()",
      config.where(kKey), config.show(kKey));
}

// What is left when all that is understood has been read.
void refuse_unknown(const JsonObject& config) {
  for (const std::string& key : config.unread()) {
    if (std::find(kSilent.begin(), kSilent.end(), key) != kSilent.end()) continue;
    if (says_nothing(config.json().at(key))) continue;
    throw InvalidInput("{}: unknown member, which might change the numbers; got {}", config.where(key),
                       config.show(key));
  }
}

// {"q_proj": 8}
template <class Read>
auto read_pattern(const JsonObject& config, std::string_view key, Read&& read) {
  std::vector<std::pair<NamePattern, decltype(read(config, ""))>> pattern;
  const std::optional<JsonObject> object = config.object_if(key);
  if (!object) return pattern;
  for (const std::string& name : object->keys()) {
    pattern.emplace_back(NamePattern::ending(name, config.where(key)), read(*object, name));
  }
  return pattern;
}

// A list of names, or one regular expression.
std::vector<NamePattern> read_names(const JsonObject& config, std::string_view key) {
  if (!config.has(key)) return {};
  if (config.is_text(key)) {
    const std::string text = config.text(key);
    if (text.empty()) return {};
    return {text == "all-linear" ? NamePattern::all() : NamePattern::whole(text, config.where(key))};
  }
  const std::vector<std::string> names = config.texts(key);
  return {names.begin(), names.end()};
}

// layers_to_transform and layers_pattern, each a value or a list.
void read_layers(const JsonObject& json, AdapterConfig& config) {
  constexpr std::string_view kLayers = "layers_to_transform", kLists = "layers_pattern";
  if (json.is_array(kLayers)) {
    config.layers = json.integers(kLayers, 0, INT32_MAX);
  } else if (json.has(kLayers)) {
    config.layers = {json.integer(kLayers, 0, INT32_MAX)};
  }
  if (json.is_text(kLists)) {
    config.lists = {json.text(kLists)};
  } else if (json.has(kLists)) {
    config.lists = json.texts(kLists);
  }
  std::erase(config.lists, "");
  if (!config.layers.empty() && std::ranges::any_of(config.targets, &NamePattern::is_regex)) {
    throw InvalidInput("{}: numbers of layers go with names; expected a list in target_modules, got {}",
                       json.where(kLayers), json.show("target_modules"));
  }
  for (const std::string& list : config.lists) {
    if (list.find_first_of("\\[](){}*+?|^$") == std::string::npos) continue;
    throw InvalidInput("{}: expected the name of the list that the layers are in, such as layers, got {}",
                       json.where(kLists), list);
  }
}

std::optional<int64_t> number_at(std::string_view layer, size_t begin) {
  const size_t end = layer.find('.', begin);
  int64_t number = 0;
  if (end == std::string_view::npos || end == begin) return std::nullopt;
  const auto [stop, error] = std::from_chars(layer.data() + begin, layer.data() + end, number);
  if (error != std::errc() || stop != layer.data() + end) return std::nullopt;
  return number;
}

// 3 of "model.layers.3.self_attn.q_proj".
std::optional<int64_t> number_of_layer(const std::vector<std::string>& lists, std::string_view layer) {
  for (size_t dot = layer.find('.'); dot != std::string_view::npos; dot = layer.find('.', dot + 1)) {
    const std::string_view list = layer.substr(0, dot);
    const bool fits =
        lists.empty()
            ? list.find('.') != std::string_view::npos
            : std::ranges::any_of(lists, [&](const std::string& name) { return NamePattern(name).matches(list); });
    if (!fits) continue;
    if (const std::optional<int64_t> number = number_at(layer, dot + 1)) return number;
  }
  return std::nullopt;
}

bool matches_any(const std::vector<NamePattern>& names, std::string_view layer) {
  return std::ranges::any_of(names, [&](const NamePattern& name) { return name.matches(layer); });
}

template <class Value>
Value value_for(const std::vector<std::pair<NamePattern, Value>>& pattern, std::string_view layer, Value otherwise) {
  for (const auto& [name, value] : pattern) {
    if (name.matches(layer)) return value;
  }
  return otherwise;
}

// As PEFT has them: alphas are usually whole.
nlohmann::ordered_json number_of(double value) {
  if (value == std::floor(value)) return static_cast<int64_t>(value);
  return value;
}

template <class Value>
nlohmann::ordered_json object_of(const std::vector<std::pair<NamePattern, Value>>& pattern) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& [name, value] : pattern) object[name.text()] = number_of(static_cast<double>(value));
  return object;
}

nlohmann::ordered_json names_of(const std::vector<NamePattern>& names) {
  if (names.size() == 1 && names[0].is_regex()) return names[0].text();
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const NamePattern& name : names) list.push_back(name.text());
  return list;
}

template <class List>
nlohmann::ordered_json null_if_empty(const List& list) {
  return list.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(list);
}

}  // namespace

std::string join_names(const std::vector<NamePattern>& names) {
  std::string all;
  for (const NamePattern& name : names) all += (all.empty() ? "" : ",") + name.text();
  return all;
}

int64_t AdapterConfig::rank_of(std::string_view layer) const { return value_for(ranks, layer, rank); }

double AdapterConfig::scale_of(std::string_view layer) const {
  const double r = static_cast<double>(rank_of(layer));
  return value_for(alphas, layer, alpha) / (rank_stabilized ? std::sqrt(r) : r);
}

bool AdapterConfig::has_target(std::string_view layer) const {
  if (!matches_any(targets, layer) || matches_any(excluded, layer)) return false;
  if (layers.empty()) return true;
  const std::optional<int64_t> number = number_of_layer(lists, layer);
  return number && std::ranges::find(layers, *number) != layers.end();
}

AdapterConfig read_adapter_config(const std::string& directory) {
  const std::string path = (std::filesystem::path(directory) / kAdapterConfig).string();
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw InvalidInput("{}: has no adapter_config.json; expected the directory of a PEFT adapter", directory);
  }
  const JsonObject json = JsonObject::read(path);
  refuse_unsupported(json);
  refuse_changed_base(json);
  AdapterConfig config;
  config.rank = json.integer_or("r", 8, 1, kMostRank);
  config.alpha = json.real_or("lora_alpha", 8, 0, 1e9);
  config.dropout = json.real_or("lora_dropout", 0, 0, 1);
  config.rank_stabilized = json.boolean_or("use_rslora", false);
  config.targets = read_names(json, "target_modules");
  if (config.targets.empty()) {
    throw InvalidInput("{}: expected the names of linear layers, got {}", json.where("target_modules"),
                       json.show("target_modules"));
  }
  config.excluded = read_names(json, "exclude_modules");
  config.has_magnitudes = json.boolean_or("use_dora", false);
  if (json.has("modules_to_save")) {
    const std::vector<std::string> names = json.texts("modules_to_save");
    config.whole = {names.begin(), names.end()};
  }
  read_layers(json, config);
  if (json.is_text("base_model_name_or_path")) config.base = json.text("base_model_name_or_path");
  config.ranks = read_pattern(json, "rank_pattern", [](const JsonObject& object, const std::string& name) {
    return object.integer(name, 1, kMostRank);
  });
  config.alphas = read_pattern(json, "alpha_pattern", [](const JsonObject& object, const std::string& name) {
    return object.real(name, 0, 1e9);
  });
  refuse_unknown(json);
  return config;
}

void write_adapter_config(const AdapterConfig& config, const std::string& base, const std::string& directory) {
  const std::string path = (std::filesystem::path(directory) / kAdapterConfig).string();
  nlohmann::ordered_json json = {{"alpha_pattern", object_of(config.alphas)},
                                 {"auto_mapping", nullptr},
                                 {"base_model_name_or_path", base},
                                 {"bias", "none"},
                                 {"fan_in_fan_out", false},
                                 {"inference_mode", true},
                                 {"init_lora_weights", true},
                                 {"layers_pattern", null_if_empty(config.lists)},
                                 {"layers_to_transform", null_if_empty(config.layers)},
                                 {"lora_alpha", number_of(config.alpha)},
                                 {"lora_dropout", config.dropout},
                                 {"modules_to_save", nullptr},
                                 {"peft_type", "LORA"},
                                 {"r", config.rank},
                                 {"rank_pattern", object_of(config.ranks)},
                                 {"revision", nullptr},
                                 {"target_modules", names_of(config.targets)},
                                 {"task_type", "CAUSAL_LM"},
                                 {"use_dora", false},
                                 {"use_rslora", config.rank_stabilized}};
  if (!config.excluded.empty()) json["exclude_modules"] = names_of(config.excluded);
  write_json(path, json);
}

}  // namespace headroom
