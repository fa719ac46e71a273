#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "headroom/api/model_source.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/json_object.h"
#include "headroom/formats/tokenizer.h"
#include "headroom/formats/weight_files.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct InspectOptions {
  std::string path;
  bool json = false;
};

Json describe_tensors(const std::string& path) {
  const WeightFiles files(path);
  Json tensors = Json::array();
  std::map<std::string, int64_t> bytes_by_dtype;
  int64_t elements = 0;
  for (int64_t i = 0; i < files.count(); ++i) {
    const StoredTensor tensor = files.tensor(i).stored;
    elements += tensor.shape.elements();
    bytes_by_dtype[std::string(tensor.type_name)] += tensor.size_bytes;
    tensors.push_back({{"name", tensor.name},
                       {"dtype", tensor.type_name},
                       {"shape", std::vector<int64_t>(tensor.shape.begin(), tensor.shape.end())},
                       {"bytes", tensor.size_bytes}});
  }
  return {{"elements", elements}, {"bytes_by_dtype", bytes_by_dtype}, {"tensors", tensors}};
}

Json describe_tokenizer(const std::string& path) {
  const Tokenizer tokenizer(path);
  Json json = {{"file", Tokenizer::file_of(path)}, {"vocabulary", tokenizer.vocab_size()}};
  const auto add = [&](const char* key, std::optional<int32_t> id) {
    if (id) json[key] = {{"id", *id}, {"piece", tokenizer.piece(*id)}};
  };
  add("bos", tokenizer.bos_id());
  add("eos", tokenizer.eos_id());
  add("pad", tokenizer.pad_id());
  return json;
}

Json describe_model(const std::string& path) {
  const std::unique_ptr<Model> model = open_model_config(path);
  return {{"architecture", model->architecture()},
          {"parameters", parameter_count(*model)},
          {"layers", model->layers()},
          {"features", model->features()},
          {"vocabulary", model->vocabulary()},
          {"max_positions", model->max_positions()},
          {"dtype", name_of(model->stored_dtype())}};
}

Json describe_checkpoint(const fs::path& path) {
  const JsonObject state = JsonObject::read((path / "state.json").string());
  Json json = Json::object();
  for (const std::string& key : state.keys()) json[key] = Json::parse(state.show(key), nullptr, false);
  return json;
}

Json describe(const std::string& path) {
  if (!fs::exists(path)) throw InvalidInput("{}: there is no such file or directory", path);
  const fs::path place(path);
  Json json;
  if (place.filename() == "tokenizer.json") return {{"tokenizer", describe_tokenizer(path)}};
  if (place.extension() == ".safetensors") return {{"weights", describe_tensors(path)}};
  if (!fs::is_directory(path)) return {{"model", describe_model(path)}};
  if (fs::exists(place / "state.json")) json["checkpoint"] = describe_checkpoint(place);
  if (fs::exists(place / "config.json")) json["model"] = describe_model(path);
  if (fs::exists(place / "tokenizer.json")) json["tokenizer"] = describe_tokenizer(path);
  if (fs::exists(place / "model.safetensors") || fs::exists(place / "model.safetensors.index.json"))
    json["weights"] = describe_tensors(path);
  if (json.is_null())
    throw InvalidInput("{}: neither a model, a checkpoint nor a tokenizer is in this directory", path);
  return json;
}

void print_section(const std::string& title, const Json& section) {
  fmt::print("{}\n", title);
  for (const auto& [key, value] : section.items()) {
    if (key == "tensors") continue;
    fmt::print("  {:<16} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  if (!section.contains("tensors")) return;
  for (const Json& tensor : section["tensors"]) {
    fmt::print("  {:<56} {:<5} {:<16} {:>12}\n", tensor["name"].get<std::string>(), tensor["dtype"].get<std::string>(),
               tensor["shape"].dump(), format_bytes(tensor["bytes"].get<int64_t>()));
  }
}

}  // namespace

void add_inspect_command(CLI::App& app) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command =
      app.add_subcommand("inspect", "Say what is in a model, a checkpoint, a tokenizer or a weights file");
  command->add_option("path", options->path, "A directory, a config.json, a tokenizer.json or a .safetensors file")
      ->required();
  command->add_flag("--json", options->json, "As JSON on standard output");
  command->callback([options] {
    const Json json = describe(options->path);
    if (options->json) {
      fmt::print("{}\n", json.dump(2));
      return;
    }
    for (const auto& [title, section] : json.items()) print_section(title, section);
  });
}

}  // namespace headroom
