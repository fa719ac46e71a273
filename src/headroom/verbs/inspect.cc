#include "headroom/verbs/inspect.h"

#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "headroom/api/model_source.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/formats/gguf/gguf_vocabulary.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/formats/tokenizer/tokenizer_parts.h"
#include "headroom/formats/weights/adapter_config.h"
#include "headroom/formats/weights/weight_files.h"
#include "headroom/models/weights.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// To three places: what a person compares.
double bits_per_weight(int64_t bytes, int64_t elements) {
  if (elements == 0) return 0;
  return std::round(8e3 * static_cast<double>(bytes) / static_cast<double>(elements)) / 1e3;
}

Json describe_tensors(const std::string& path) {
  const WeightFiles files(path);
  Json tensors = Json::array();
  std::map<std::string, int64_t> bytes_by_dtype;
  int64_t elements = 0;
  int64_t bytes = 0;
  for (int64_t i = 0; i < files.count(); ++i) {
    const WeightTensor weight = files.tensor(i);
    const StoredTensor& tensor = weight.stored;
    elements += tensor.shape.elements();
    bytes += tensor.size_bytes;
    bytes_by_dtype[std::string(tensor.type_name)] += tensor.size_bytes;
    tensors.push_back({{"name", tensor.name},
                       {"dtype", tensor.type_name},
                       {"shape", std::vector<int64_t>(tensor.shape.begin(), tensor.shape.end())},
                       {"bytes", tensor.size_bytes},
                       {"file", fs::path(weight.file->path()).filename().string()}});
  }
  return {{"elements", elements},
          {"bytes", bytes},
          {"bits_per_weight", bits_per_weight(bytes, elements)},
          {"bytes_by_dtype", bytes_by_dtype},
          {"tensors", tensors}};
}

std::string_view kind_of(const BpeModel& model) {
  switch (model.alphabet) {
    case BpeModel::Alphabet::bytes: return "byte-level BPE";
    case BpeModel::Alphabet::characters: return "BPE";
    case BpeModel::Alphabet::fallback_bytes: return "BPE with byte fallback";
  }
  return "";
}

Json describe_tokenizer(const std::string& path) {
  const Tokenizer tokenizer(path);
  const TokenizerParts& parts = tokenizer.parts();
  Json json = {{"file", Tokenizer::file_of(path)},
               {"kind", kind_of(parts.model)},
               {"vocabulary", tokenizer.vocab_size()},
               {"special_tokens", parts.special_ids.size()}};
  const auto token = [&](int32_t id) { return Json{{"id", id}, {"piece", tokenizer.piece(id)}}; };
  const auto add = [&](const char* key, std::optional<int32_t> id) {
    if (id) json[key] = token(*id);
  };
  add("bos", tokenizer.bos_id());
  add("eos", tokenizer.eos_id());
  add("pad", tokenizer.pad_id());
  json["before_text"] = Json::array();
  for (const int32_t id : parts.before) json["before_text"].push_back(token(id));
  json["after_text"] = Json::array();
  for (const int32_t id : parts.after) json["after_text"].push_back(token(id));
  if (!parts.changes.empty()) json["changes"] = parts.changes;
  return json;
}

// The part of the model that a parameter belongs to, by the module that its name names.
std::string_view role_of(std::string_view name) {
  if (name.ends_with("norm.weight")) return "norms";
  if (name.find(".self_attn.") != std::string_view::npos) return "attention";
  if (name.find(".mlp.") != std::string_view::npos) return "mlp";
  if (name.find("embed_tokens") != std::string_view::npos) return "embedding";
  if (name.starts_with("lm_head") || name.starts_with("score")) return "output";
  return "other";
}

Json describe_model(const std::string& path, bool ignore_unknown_fields) {
  const std::unique_ptr<Model> model = open_model_config(path, {ignore_unknown_fields});
  Json roles = Json::object();
  const WeightFormats formats = model->stored_formats();
  int64_t bytes = 0;
  for (const Parameter& parameter : model->parameters()) {
    bytes += Type{formats(parameter.name), parameter.shape}.bytes();
    Json& count = roles[std::string(role_of(parameter.name))];
    count = (count.is_null() ? 0 : count.get<int64_t>()) + parameter.shape.elements();
  }
  const int64_t parameters = parameter_count(*model);
  Json json = {{"architecture", model->architecture()},
               {"parameters", parameters},
               {"parameters_by_role", roles},
               {"dtype", names_of_formats(*model)},
               {"bytes", bytes},
               {"layers", model->layers()},
               {"features", model->features()},
               {"vocabulary", model->vocabulary()},
               {"max_positions", model->max_positions()}};
  if (has_weight_files(path)) {
    Json quantised = Json::array();
    for (const KeptWeights& some : kept_weights(WeightFiles(path), *model)) {
      quantised.push_back({{"stored", some.stored},
                           {"kept", name_of(some.kept)},
                           {"tensors", some.tensors},
                           {"file_bytes", some.file_bytes},
                           {"bytes", some.bytes}});
    }
    if (!quantised.empty()) json["quantised"] = std::move(quantised);
  }
  if (const std::vector<std::string> labels = model->labels(); !labels.empty()) json["labels"] = labels;
  return json;
}

Json describe_checkpoint(const fs::path& path) {
  const JsonObject state = JsonObject::read((path / "state.json").string());
  Json settings = Json::object();
  if (const std::optional<JsonObject> saved = state.object_if("settings")) {
    for (const std::string& key : saved->keys())
      settings[key] = saved->is_text(key) ? saved->text(key) : saved->show(key);
  }
  return {{"step", state.integer("step", 0, INT64_MAX)},
          {"headroom", state.text_or("headroom", "")},
          {"settings", settings}};
}

// What PEFT's adapter_config.json says; or why headroom does not take it.
Json describe_adapter(const fs::path& directory) {
  Json json;
  try {
    const AdapterConfig config = read_adapter_config(directory.string());
    json = {{"kind", config.has_magnitudes ? "DoRA" : "LoRA"}, {"rank", config.rank}, {"alpha", config.alpha}};
    if (config.rank_stabilized) json["scale"] = "alpha / sqrt(rank)";
    if (config.dropout > 0) json["dropout"] = config.dropout;
    json["targets"] = join_names(config.targets);
    if (!config.whole.empty()) json["whole_layers"] = join_names(config.whole);
    if (!config.excluded.empty()) json["excluded"] = join_names(config.excluded);
    if (!config.layers.empty()) json["layers"] = config.layers;
    for (const auto& [name, rank] : config.ranks) json["ranks"][name.text()] = rank;
    for (const auto& [name, alpha] : config.alphas) json["alphas"][name.text()] = alpha;
    if (!config.base.empty()) json["base"] = config.base;
  } catch (const InvalidInput& refusal) {
    json["refused"] = refusal.what();
  }
  return json;
}

// A .json file by its content: a config is small and has no "model" in it.
bool is_tokenizer(const std::string& path) {
  return File::open(path).size_bytes() > JsonObject::kMaxFileBytes || JsonObject::read(path).has("model");
}

bool has_weights(const fs::path& directory) {
  return fs::exists(directory / "model.safetensors") || fs::exists(directory / "model.safetensors.index.json");
}

Json describe_directory(const fs::path& place, bool ignore_unknown_fields) {
  const std::string path = place.string();
  Json json;
  if (fs::exists(place / "state.json")) json["checkpoint"] = describe_checkpoint(place);
  if (fs::exists(place / "config.json")) json["model"] = describe_model(path, ignore_unknown_fields);
  if (fs::exists(place / "tokenizer.json")) json["tokenizer"] = describe_tokenizer(path);
  if (has_weights(place)) json["weights"] = describe_tensors(path);
  if (fs::exists(place / kAdapterConfig)) {
    json["adapter"] = describe_adapter(place);
    const fs::path matrices = place / kAdapterWeights;
    if (fs::exists(matrices)) {
      Json tensors = describe_tensors(matrices.string());
      json["adapter"]["parameters"] = tensors["elements"];
      json["adapter"]["bytes"] = tensors["bytes"];
      json["weights"] = std::move(tensors);
    }
  }
  const fs::path optimizer = place / "optimizer.safetensors";
  if (fs::exists(optimizer)) json["optimizer"] = describe_tensors(optimizer.string());
  if (json.is_null())
    throw InvalidInput("{}: neither a model, a checkpoint, an adapter nor a tokenizer is in this directory", path);
  return json;
}

// A GGUF file under its own names; what it is to headroom beside that, or why it is nothing.
Json describe_gguf(const std::string& path, bool ignore_unknown_fields) {
  const GgufFile file(path);
  Json json;
  const auto add = [&](const char* section, const std::function<Json()>& describe) {
    try {
      json[section] = describe();
    } catch (const InvalidInput& refusal) {
      json[section] = {{"refused", refusal.what()}};
    }
  };
  if (file.count() > 0) add("model", [&] { return describe_model(path, ignore_unknown_fields); });
  if (GgufVocabulary::is_in(file)) add("tokenizer", [&] { return describe_tokenizer(path); });
  Json& metadata = json["metadata"] = Json::object();
  for (const std::string_view key : file.keys()) metadata[std::string(key)] = file.show(key);
  Json tensors = Json::array();
  std::map<std::string, int64_t> bytes_by_dtype;
  int64_t elements = 0, bytes = 0;
  for (int64_t i = 0; i < file.count(); ++i) {
    const GgufTensor tensor = file.tensor(i);
    elements += tensor.shape.elements();
    bytes += tensor.size_bytes;
    bytes_by_dtype[std::string(tensor.type->name)] += tensor.size_bytes;
    tensors.push_back({{"name", tensor.name},
                       {"dtype", tensor.type->name},
                       {"shape", std::vector<int64_t>(tensor.shape.begin(), tensor.shape.end())},
                       {"bytes", tensor.size_bytes},
                       {"file", fs::path(tensor.file->path()).filename().string()}});
  }
  json["weights"] = {{"elements", elements},
                     {"bytes", bytes},
                     {"bits_per_weight", bits_per_weight(bytes, elements)},
                     {"bytes_by_dtype", bytes_by_dtype},
                     {"tensors", tensors}};
  return json;
}

}  // namespace

nlohmann::ordered_json inspect(const std::string& path, bool ignore_unknown_fields) {
  if (!fs::exists(path)) throw InvalidInput("{}: there is no such file or directory", path);
  const fs::path place(path);
  if (fs::is_directory(place)) return describe_directory(place, ignore_unknown_fields);
  if (GgufFile::is_gguf(path)) return describe_gguf(path, ignore_unknown_fields);
  if (place.extension() == ".safetensors") return {{"weights", describe_tensors(path)}};
  if (place.extension() != ".json") {
    throw InvalidInput(
        "{}: this kind of file is unknown; expected a directory, a config.json, a tokenizer.json, a .safetensors or a "
        ".gguf file",
        path);
  }
  if (place.filename() == kAdapterConfig) return {{"adapter", describe_adapter(place.parent_path())}};
  if (is_tokenizer(path)) return {{"tokenizer", describe_tokenizer(path)}};
  return {{"model", describe_model(path, ignore_unknown_fields)}};
}

}  // namespace headroom
