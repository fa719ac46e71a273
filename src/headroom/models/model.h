// What the engine asks of an architecture: its parameters, and its forward graph. One file an architecture; the table
// of architectures is collected by the linker, so adding one edits no list.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "headroom/graph/binding.h"
#include "headroom/graph/builder.h"
#include "headroom/models/step_inputs.h"

namespace headroom {

class JsonObject;

// A weight of the model, as its forward declares it.
struct Parameter {
  std::string name;
  Shape shape;
  std::shared_ptr<const Binding> binding = nullptr;
};

// A tensor that files of the model hold, under the name that it has in Hugging Face files.
struct ModelTensor {
  std::string name;
  Shape shape;
};

// Another name under which files may hold a tensor once more.
struct Alias {
  std::string name;
  std::string parameter;
};

// The format that each weight is kept in, by its name: what a forward asks for every weight that it declares.
using WeightFormats = std::function<DType(const std::string& weight)>;
inline WeightFormats all_in(DType dtype) {
  return [dtype](const std::string&) { return dtype; };
}

class Model {
 public:
  virtual ~Model() = default;

  virtual std::string_view architecture() const = 0;  // "LlamaForCausalLM"
  virtual int64_t vocabulary() const = 0;
  virtual int64_t features() const = 0;
  virtual int64_t layers() const = 0;
  virtual int64_t max_positions() const = 0;
  virtual DType stored_dtype() const = 0;  // of the files, by the config
  // What each weight is kept in where a model runs as its files hold it: what they say (models/weights.h), otherwise
  // stored_dtype(). Borrows the model.
  WeightFormats stored_formats() const;
  // Of the weights whose format the config does not tell.
  void set_stored_formats(std::unordered_map<std::string, DType> formats) { stored_formats_ = std::move(formats); }
  // Ids that begin and end a text, where the config names them.
  virtual std::optional<int32_t> bos() const = 0;
  virtual std::vector<int32_t> eos() const = 0;
  // Of a model that gives texts a label, their names by number, and the id that fills rows behind a text.
  virtual std::vector<std::string> labels() const { return {}; }
  virtual std::optional<int32_t> padding() const { return std::nullopt; }

  // What the forward and the output layer declare, in that order, which is the one in which files hold them. A tied
  // output layer is not listed twice.
  std::vector<Parameter> parameters() const;
  // What their bindings read, each tensor once.
  std::vector<ModelTensor> tensors() const;
  virtual std::vector<Alias> aliases() const { return {}; }
  // Whether files may hold the tensor though the model does not compute with it: of a layer behind its own, which
  // predicts a further token.
  virtual bool passes_over(std::string_view /*tensor*/) const { return false; }

  // The angle by which each pair of a head turns from one position to the next: D/2 numbers, f64.
  virtual std::vector<double> rotary_frequencies() const = 0;
  // What its cosines and sines are multiplied by.
  virtual double rotary_magnitude() const { return 1.0; }

  // Appends the forward up to the last norm; f32[T, F]. Weights become graph inputs under their names, each in the
  // format that `formats` says, out of which a block format is decoded where it is used. Segments are "embedding",
  // "layers.N", "head"; caches are carried graph inputs "layers.N.k_cache", "...v_cache".
  virtual ValueId forward(Builder& build, const StepInputs& inputs, const WeightFormats& formats) const = 0;
  // The weight [V, F] of the output layer, a graph input after forward().
  virtual ValueId head_weight(Builder& build, const WeightFormats& formats) const = 0;

 private:
  std::unordered_map<std::string, DType> stored_formats_;
};

// An architecture as the table holds it.
struct Architecture {
  std::string_view name;        // of config.json's "architectures"
  std::string_view classifier;  // the same for a model that gives texts a label instead
  std::string_view model_type;  // of config.json, for those without the list
  // Throws InvalidInput naming the field that is missing, absurd, or would change the numbers and is not supported.
  std::unique_ptr<Model> (*read)(const JsonObject& config);
};

// The architecture that the config names. Throws InvalidInput with the list of known ones when it names none of them.
const Architecture& find_architecture(const JsonObject& config);
inline std::unique_ptr<Model> make_model(const JsonObject& config) { return find_architecture(config).read(config); }

// The forward of one token in f32, without the output layer: for what asks which weights there are and who reads them.
Graph forward_of_one_token(const Model& model);

int64_t parameter_count(const Model& model);

}  // namespace headroom

// In an architecture's source file, in namespace headroom: adds the constant `object` (an Architecture) to the table.
#define HEADROOM_ARCHITECTURE(object)                                                                               \
  [[gnu::used, gnu::section("headroom_architectures")]] static const headroom::Architecture* const object##_entry = \
      &object
