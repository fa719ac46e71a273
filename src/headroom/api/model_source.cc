#include "headroom/api/model_source.h"

#include <fmt/ranges.h>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "headroom/base/atomic_file.h"
#include "headroom/base/bytes.h"
#include "headroom/base/console.h"
#include "headroom/base/did_you_mean.h"
#include "headroom/base/errors.h"
#include "headroom/base/plural.h"
#include "headroom/formats/gguf/gguf_tokenizer_json.h"
#include "headroom/formats/gguf/gguf_vocabulary.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/models/labels.h"
#include "headroom/models/presets.h"
#include "headroom/models/settle_config.h"
#include "headroom/models/weights.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 9> kCompanions = {
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",     "vocab.json",
    "merges.txt",     "tokenizer.model",       "chat_template.jinja",     "generation_config.json"};
constexpr int64_t kPieceBytes = 256 * 1024;
constexpr std::string_view kBlocks = "q8_0";  // of --dtype, the one format that is no dtype of a config

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool has_weights(const std::string& directory) {
  return exists(directory + "/model.safetensors") || exists(directory + "/model.safetensors.index.json");
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

// Of weights that take more in memory than in their files, because kernels know no format that holds them.
void note_widened(const WeightFiles& files, const Model& model) {
  for (const KeptWeights& some : kept_weights(files, model)) {
    if (!is_scalar(some.kept)) continue;
    print_note("headroom: note: {}: {} weights stored as {} are held as {}, in {} instead of {}\n", files.path(),
               some.tensors, some.stored, name_of(some.kept), format_bytes(some.bytes), format_bytes(some.file_bytes));
  }
}

void note_passed_over(const WeightFiles& files, const Model& model) {
  const int64_t count = count_passed_over(files, model);
  if (count == 0) return;
  print_note("headroom: note: {}: {} of layers that predict further tokens are passed over\n", files.path(),
             count_of(count, "tensor"));
}

}  // namespace

OpenSettings open_settings(const RunOptions& options) { return {options.ignore_unknown_fields, options.quiet}; }

std::unique_ptr<Model> make_model_and_note(const JsonObject& config, const std::string& path,
                                           const OpenSettings& settings) {
  std::unique_ptr<Model> model = make_model(config);
  const std::vector<std::string>& fields = config.passed_over();
  if (!fields.empty() && !settings.quiet)
    print_note("headroom: note: {}: passed over in its config: {}\n", path, fmt::join(fields, ", "));
  return model;
}

std::unique_ptr<Model> open_model_directory(const std::string& path, const OpenSettings& settings) {
  if (!exists(path)) {
    const bool preset = find_preset(path) != nullptr;
    throw InvalidInput("{}: there is no such file or directory; expected a model directory or a .gguf file{}", path,
                       preset ? fmt::format("; make one with: headroom init {} --output DIR", path) : "");
  }
  std::unique_ptr<Model> model = make_model_and_note(config_of_model(path, settings), path, settings);
  const WeightFiles files(path);
  check_weights(files, *model);
  take_stored_formats(files, *model);
  if (settings.quiet) return model;
  note_widened(files, *model);
  note_passed_over(files, *model);
  return model;
}

JsonObject config_of_model(const std::string& model, const OpenSettings& settings) {
  if (exists(model)) {
    const JsonObject config = settings.ignore_unknown ? read_config(model).ignoring_unknown() : read_config(model);
    return has_weights(model) ? settle_config(config, model) : config;
  }
  if (const Preset* preset = find_preset(model)) return config_of(*preset);
  std::vector<std::string> names;
  for (const Preset& preset : presets()) names.emplace_back(preset.name);
  throw InvalidInput("{}: neither a file nor a directory nor a preset; presets are {}{}", model, fmt::join(names, ", "),
                     did_you_mean(model, names));
}

bool has_weight_files(const std::string& path) {
  return exists(path) && (has_weights(path) || GgufFile::is_gguf(path));
}

std::unique_ptr<Model> open_model_config(const std::string& path, const OpenSettings& settings) {
  std::unique_ptr<Model> model = make_model_and_note(config_of_model(path, settings), path, settings);
  if (has_weight_files(path)) {
    const WeightFiles files(path);
    take_stored_formats(files, *model);
    if (!settings.quiet) note_widened(files, *model);
  }
  return model;
}

std::unique_ptr<Model> open_model_converted(const std::string& path, const std::string& dtype,
                                            const OpenSettings& settings) {
  const bool in_blocks = dtype == kBlocks;
  if (!in_blocks && dtype != "f32" && dtype != "bf16" && dtype != "f16") {
    throw InvalidInput("--dtype {}: expected f32, bf16, f16 or q8_0; with --mesh or --device also int8", dtype);
  }
  const DType scalar = in_blocks ? DType::f32 : parse_dtype(dtype, "--dtype");
  std::unique_ptr<Model> model =
      make_model_and_note(config_of_model(path, settings)
                              .with("dtype", nullptr)
                              .with("torch_dtype", std::string(hugging_face_name_of(scalar))),
                          path, settings);
  if (in_blocks) take_formats_of_q8(*model);
  return model;
}

Tokenizer open_tokenizer(const std::string& model_path, const Model& model) {
  Tokenizer tokenizer(model_path);
  if (tokenizer.vocab_size() <= model.vocabulary()) return tokenizer;
  throw InvalidInput("{}: the tokenizer has {} ids, the model's embedding {} rows; they do not belong together",
                     Tokenizer::file_of(model_path), tokenizer.vocab_size(), model.vocabulary());
}

int64_t tokenizer_bytes_of(const std::string& model) {
  if (GgufFile::is_gguf(model)) {
    return exists(model) && GgufVocabulary::is_in(GgufFile(model)) ? Tokenizer::memory_bound_bytes(model) : 0;
  }
  const std::string file = (fs::path(model) / "tokenizer.json").string();
  return exists(file) ? Tokenizer::memory_bound_bytes(file) : 0;
}

void write_config(const JsonObject& config, DType dtype, const std::string& directory,
                  const nlohmann::ordered_json& quantization) {
  const Architecture& architecture = find_architecture(config);
  nlohmann::ordered_json json = config.json();
  json.emplace("architectures", nlohmann::ordered_json::array({architecture.name}));
  json.emplace("model_type", architecture.model_type);
  json[config.has("dtype") ? "dtype" : "torch_dtype"] = hugging_face_name_of(dtype);
  json.erase("quantization_config");
  if (!quantization.is_null()) json["quantization_config"] = quantization;
  write_json(directory + "/config.json", json);
}

void copy_tokenizer(const std::string& model, const std::string& directory) {
  if (GgufFile::is_gguf(model)) {
    const GgufFile file(model);
    if (GgufVocabulary::is_in(file)) write_tokenizer_of_gguf(file, directory);
    return;
  }
  for (const char* name : kCompanions) {
    const std::string source = (fs::path(model) / name).string();
    if (exists(source)) copy_file(source, directory + "/" + name);
  }
}

void copy_config_and_tokenizer(const std::string& model, const std::string& directory, std::optional<DType> dtype,
                               const OpenSettings& settings) {
  if (dtype) {
    write_config(config_of_model(model, settings), *dtype, directory);
  } else {
    copy_file((fs::path(model) / "config.json").string(), directory + "/config.json");
  }
  copy_tokenizer(model, directory);
}

JsonObject config_to_train(const std::string& model, const std::string& labels, const OpenSettings& settings) {
  const JsonObject config = config_of_model(model, settings);
  return labels.empty() ? config : with_labels(config, labels);
}

}  // namespace headroom
