// MODEL on the command line: a directory, a config.json or a preset's name, as the verbs take it.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "headroom/formats/json/json_object.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/headroom.h"
#include "headroom/models/model.h"

namespace headroom {

// How a config is read (models/known_fields.h).
struct OpenSettings {
  bool ignore_unknown = false;  // fields that headroom does not know are passed over
  bool quiet = false;           // what opens a model does not say on standard error which fields were
};

OpenSettings open_settings(const RunOptions& options);

// The model of a config that came from `path`, with the note.
std::unique_ptr<Model> make_model_and_note(const JsonObject& config, const std::string& path,
                                           const OpenSettings& settings);

// A model directory, which must have weights that fit its config. Throws InvalidInput naming what is missing.
std::unique_ptr<Model> open_model_directory(const std::string& path, const OpenSettings& settings);

// Whether there are weights at `path`: in a directory, or a GGUF file.
bool has_weight_files(const std::string& path);

// Anything that has a config: a directory, a config .json, a preset. No weights are needed, and none are read but for
// what they are stored in.
std::unique_ptr<Model> open_model_config(const std::string& path, const OpenSettings& settings);

// The tokenizer of a model directory or file. Throws InvalidInput where it has more ids than the model's embedding has
// rows.
Tokenizer open_tokenizer(const std::string& model_path, const Model& model);

// What a run of the model holds that `convert` made of the one at `path` with --dtype f32, bf16, f16 or q8_0. Throws as
// above, and InvalidInput for another dtype.
std::unique_ptr<Model> open_model_converted(const std::string& path, const std::string& dtype,
                                            const OpenSettings& settings);

// The most memory that the tokenizer of `model` takes (Tokenizer::memory_bound_bytes); 0 where there is none.
int64_t tokenizer_bytes_of(const std::string& model);

// The config that `model` has: of a directory, where its weights have their say (models/settle_config.h), of a config
// .json or of a preset. Throws InvalidInput with the presets where it is none of them.
JsonObject config_of_model(const std::string& model, const OpenSettings& settings);

// Writes DIR/config.json: `config`, for weights of `dtype`, with what transformers needs to load it. The weights are
// plain, or what `quantization` says: {"quant_method": "headroom", ...}.
void write_config(const JsonObject& config, DType dtype, const std::string& directory,
                  const nlohmann::ordered_json& quantization = nullptr);

// Copies the files of tokenizer, chat template and generation that `model` has, if any.
void copy_tokenizer(const std::string& model, const std::string& directory);

// The same, and writes DIR/config.json: that of `model` for weights of `dtype`, or where that is nothing as it is.
void copy_config_and_tokenizer(const std::string& model, const std::string& directory, std::optional<DType> dtype,
                               const OpenSettings& settings);

// The model that a run trains: that of `model`, or with `labels` a classifier on top of it (models/labels.h).
JsonObject config_to_train(const std::string& model, const std::string& labels, const OpenSettings& settings);

}  // namespace headroom
