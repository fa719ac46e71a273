#include "headroom/api/model_source.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "headroom/base/atomic_file.h"
#include "headroom/base/errors.h"
#include "headroom/formats/json_object.h"
#include "headroom/models/presets.h"
#include "headroom/models/weights.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 4> kTokenizerFiles = {"tokenizer.json", "tokenizer_config.json",
                                                        "special_tokens_map.json", "generation_config.json"};
constexpr int64_t kPieceBytes = 256 * 1024;

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

void copy_file(const std::string& from, const std::string& to) {
  const File source = File::open(from);
  AtomicFile target(to);
  std::vector<char> piece(kPieceBytes);
  for (int64_t offset = 0;;) {
    const int64_t got = source.read_some(offset, piece.data(), kPieceBytes);
    if (got == 0) break;
    target.file().write(offset, piece.data(), got);
    offset += got;
  }
  target.commit();
}

}  // namespace

std::unique_ptr<Model> open_model_directory(const std::string& path) {
  if (!exists(path)) {
    const bool preset = find_preset(path) != nullptr;
    throw InvalidInput("{}: there is no such directory; expected a model directory{}", path,
                       preset ? fmt::format("; make one with: headroom init {} --output DIR", path) : "");
  }
  std::unique_ptr<Model> model = make_model(read_config(path));
  check_weights(path, *model);
  return model;
}

std::unique_ptr<Model> open_model_config(const std::string& model) {
  if (!exists(model)) {
    if (const Preset* preset = find_preset(model)) return make_llama(preset->config);
    std::string names;
    for (const Preset& preset : presets()) names += fmt::format("{}{}", names.empty() ? "" : ", ", preset.name);
    throw InvalidInput("{}: neither a file nor a directory nor a preset; presets are {}", model, names);
  }
  return make_model(read_config(model));
}

int64_t tokenizer_bytes_of(const std::string& model) {
  std::error_code error;
  const auto bytes = fs::file_size(fs::path(model) / "tokenizer.json", error);
  return error ? 0 : static_cast<int64_t>(bytes);
}

void copy_config_and_tokenizer(const std::string& model, const std::string& directory) {
  std::ifstream file(fs::path(model) / "config.json");
  nlohmann::ordered_json config = nlohmann::ordered_json::parse(file);
  config[config.contains("dtype") ? "dtype" : "torch_dtype"] = "float32";
  write_json(directory + "/config.json", config);
  for (const char* name : kTokenizerFiles) {
    const std::string source = (fs::path(model) / name).string();
    if (exists(source)) copy_file(source, directory + "/" + name);
  }
}

}  // namespace headroom
