#include "headroom/formats/weights/adapter_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_object.h"

namespace headroom {
namespace {

constexpr int64_t kMostRank = 1 << 20;

// Where the file comes from, and how PEFT made what stands in it.
constexpr std::array<std::string_view, 10> kSilent = {
    "auto_mapping", "base_model_name_or_path", "inference_mode",  "peft_version",   "revision",
    "task_type",    "megatron_core",           "megatron_config", "runtime_config", "qalora_group_size"};

// Members that would change the numbers, and the words for what headroom does not compute.
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kRefused = {{
    {"use_dora", "DoRA"},
    {"use_qalora", "QALoRA"},
    {"fan_in_fan_out", "weights stored transposed"},
    {"lora_bias", "biases of the adapter"},
    {"modules_to_save", "layers that are trained as a whole"},
    {"trainable_token_indices", "rows of the embedding that are trained"},
    {"target_parameters", "adapters of parameters that are no linear layers"},
    {"layers_to_transform", "adapters of some layers only"},
    {"layer_replication", "layers that occur several times"},
    {"exclude_modules", "exceptions from the targets"},
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
    throw InvalidInput("{}: asks for {}, which headroom does not compute; expected it to be absent, got {}",
                       config.where(key), words, config.show(key));
  }
  // A few ways of beginning rewrite the base's weights; the adapter then belongs to what they left.
  if (config.has("init_lora_weights")) {
    const nlohmann::ordered_json& way = config.json().at("init_lora_weights");
    if (!way.is_boolean() && way != "gaussian" && way != "orthogonal" && way != "eva") {
      throw InvalidInput("{}: {} changes the base's weights; expected true, false, gaussian, orthogonal or eva",
                         config.where("init_lora_weights"), config.show("init_lora_weights"));
    }
  }
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

bool is_plain(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
           c == '-';
  });
}

// {"q_proj": 8}: names of layers, which PEFT takes as regular expressions; only names are.
template <class Read>
auto read_pattern(const JsonObject& config, std::string_view key, Read&& read) {
  std::vector<std::pair<std::string, decltype(read(config, ""))>> pattern;
  const std::optional<JsonObject> object = config.object_if(key);
  if (!object) return pattern;
  for (const std::string& name : object->keys()) {
    if (!is_plain(name)) {
      throw InvalidInput("{}: expected names of layers, got the regular expression {}", config.where(key), name);
    }
    pattern.emplace_back(name, read(*object, name));
  }
  return pattern;
}

template <class Value>
Value value_for(const std::vector<std::pair<std::string, Value>>& pattern, std::string_view layer, Value otherwise) {
  for (const auto& [name, value] : pattern) {
    if (is_named(layer, name)) return value;
  }
  return otherwise;
}

// As PEFT has them: alphas are usually whole.
nlohmann::ordered_json number_of(double value) {
  if (value == std::floor(value)) return static_cast<int64_t>(value);
  return value;
}

template <class Value>
nlohmann::ordered_json object_of(const std::vector<std::pair<std::string, Value>>& pattern) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& [name, value] : pattern) object[name] = number_of(static_cast<double>(value));
  return object;
}

}  // namespace

bool is_named(std::string_view layer, std::string_view name) {
  if (!layer.ends_with(name)) return false;
  return layer.size() == name.size() || layer[layer.size() - name.size() - 1] == '.';
}

int64_t AdapterConfig::rank_of(std::string_view layer) const { return value_for(ranks, layer, rank); }

double AdapterConfig::scale_of(std::string_view layer) const {
  const double r = static_cast<double>(rank_of(layer));
  return value_for(alphas, layer, alpha) / (rank_stabilized ? std::sqrt(r) : r);
}

bool AdapterConfig::has_target(std::string_view layer) const {
  return std::any_of(targets.begin(), targets.end(), [&](const std::string& name) { return is_named(layer, name); });
}

AdapterConfig read_adapter_config(const std::string& directory) {
  const std::string path = (std::filesystem::path(directory) / "adapter_config.json").string();
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw InvalidInput("{}: has no adapter_config.json; expected the directory of a PEFT adapter", directory);
  }
  const JsonObject json = JsonObject::read(path);
  refuse_unsupported(json);
  AdapterConfig config;
  config.rank = json.integer_or("r", 8, 1, kMostRank);
  config.alpha = json.real_or("lora_alpha", 8, 0, 1e9);
  config.dropout = json.real_or("lora_dropout", 0, 0, 1);
  config.rank_stabilized = json.boolean_or("use_rslora", false);
  if (!json.is_array("target_modules")) {
    throw InvalidInput("{}: expected a list of names, got {}", json.where("target_modules"),
                       json.show("target_modules"));
  }
  config.targets = json.texts("target_modules");
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
  const std::string path = (std::filesystem::path(directory) / "adapter_config.json").string();
  write_json(path, {{"alpha_pattern", object_of(config.alphas)},
                    {"auto_mapping", nullptr},
                    {"base_model_name_or_path", base},
                    {"bias", "none"},
                    {"fan_in_fan_out", false},
                    {"inference_mode", true},
                    {"init_lora_weights", true},
                    {"layers_pattern", nullptr},
                    {"layers_to_transform", nullptr},
                    {"lora_alpha", number_of(config.alpha)},
                    {"lora_dropout", config.dropout},
                    {"modules_to_save", nullptr},
                    {"peft_type", "LORA"},
                    {"r", config.rank},
                    {"rank_pattern", object_of(config.ranks)},
                    {"revision", nullptr},
                    {"target_modules", config.targets},
                    {"task_type", "CAUSAL_LM"},
                    {"use_dora", false},
                    {"use_rslora", config.rank_stabilized}});
}

}  // namespace headroom
