// Decoders of the llama lineage: what they share. An architecture's own file says what its attention and its MLP are;
// the rest stands here:
//   h = embedding(tokens)
//   each layer:  h += attention(rms_norm(h));  h += mlp(rms_norm(h))
//   logits = lm_head(rms_norm(h)), where lm_head may be the embedding (tied), or score(rms_norm(h)) of a classifier
//   T tokens, F features, H query heads, K heads of keys and values, D head size, M features of the MLP.
#pragma once

#include <string>
#include <string_view>

#include "headroom/models/model.h"
#include "headroom/models/rotary.h"
#include "headroom/models/stack_bindings.h"
namespace headroom {

struct DecoderConfig {
  int64_t vocabulary = 0;
  int64_t features = 0;      // hidden_size
  int64_t mlp_features = 0;  // intermediate_size
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t max_positions = 0;
  double norm_eps = 1e-6;
  RotarySettings rotary;
  double initializer_range = 0.02;
  bool tied_embeddings = false;
  DType dtype = DType::f32;
  std::optional<int32_t> bos;
  std::vector<int32_t> eos;
  std::vector<std::string> labels;  // of a classifier, whose output layer they are instead of the vocabulary
  std::optional<int32_t> padding;   // of a classifier
};

// The fields that all decoders have, but for those of heads. Throws InvalidInput as Architecture::read does.
DecoderConfig read_decoder_config(const JsonObject& config);
// Those of heads that have keys and values of their size, or share them in groups.
void read_heads(const JsonObject& config, DecoderConfig& decoder);

// The weights below one name, "model.layers.3.self_attn": each becomes a graph input where it is used.
class Weights {
 public:
  // `deviation`: of the matrices of a new model; its norms are 1, its biases 0. `formats` is borrowed.
  Weights(Builder& build, std::string name, const WeightFormats& formats, double deviation)
      : build_(build), name_(std::move(name)), formats_(formats), deviation_(deviation) {}

  Weights below(std::string_view name) const { return {build_, name_ + "." + std::string(name), formats_, deviation_}; }
  Builder& build() const { return build_; }

  // Rows of NAME.weight [vocabulary, F]; tokens i32[T] -> f32[T, F].
  ValueId embed(std::string_view name, ValueId tokens, int64_t vocabulary, int64_t features) const;
  // x NAME.weight^T, and + NAME.bias with `bias`; x f32[T, inputs] -> f32[T, outputs].
  ValueId linear(std::string_view name, ValueId x, int64_t outputs, bool bias) const;
  // By NAME.weight; x f32[T, F] -> f32[T, F].
  ValueId norm(std::string_view name, ValueId x, double eps) const;  // NAME as a graph input, ready to be read.
  ValueId weight(std::string_view name,
                 const Shape& shape) const;  // NAME as a graph input in f32 that is not trained; 0 in a new model.
  ValueId constant(std::string_view name, const Shape& shape) const;
  // The matrices FIRST.N.LAST, N from 0, of one shape, as one graph input
  // FIRST.LAST of `shape`, [how many, rows,
  // columns].
  ValueId stack(std::string_view first, std::string_view last, const Shape& shape, StackBindings& bindings) const;

 private:
  Builder& build_;
  std::string name_;
  const WeightFormats& formats_;
  double deviation_;
};

class Decoder : public Model {
 public:
  explicit Decoder(const DecoderConfig& config) : c_(config) {}

  int64_t vocabulary() const override { return c_.vocabulary; }
  int64_t features() const override { return c_.features; }
  int64_t layers() const override { return c_.layers; }
  int64_t max_positions() const override { return c_.max_positions; }
  DType stored_dtype() const override { return c_.dtype; }
  std::optional<int32_t> bos() const override { return c_.bos; }
  std::vector<int32_t> eos() const override { return c_.eos; }
  std::vector<std::string> labels() const override { return c_.labels; }
  std::optional<int32_t> padding() const override { return c_.padding; }

  std::vector<Alias> aliases() const override;
  std::vector<double> rotary_frequencies() const override {
    return headroom::rotary_frequencies(c_.rotary, c_.head_dim);
  }
  double rotary_magnitude() const override { return c_.rotary.magnitude; }
  ValueId forward(Builder& build, const StepInputs& inputs, const WeightFormats& formats) const override;
  ValueId head_weight(Builder& build, const WeightFormats& formats) const override;

 protected:
  // n f32[T, F], the layer's normalised input -> f32[T, F]; `weights` are those below "self_attn" and "mlp".
  virtual ValueId attention(const Weights& weights, ValueId n, const StepInputs& inputs) const = 0;
  virtual ValueId mlp(const Weights& weights, ValueId n) const = 0;

  // Causal attention of q f32[T, H*D] over k and v f32[T, K*D], after q and k are rotated to their positions; with a
  // KV cache, over that. f32[T, H*D].
  ValueId rotate_and_attend(Builder& build, ValueId q, ValueId k, ValueId v, const StepInputs& inputs)
      const;  // down_proj(silu(gate_proj(n)) * up_proj(n)) of so many features, Shazeer 2020.
  ValueId gated_mlp(const Weights& weights, ValueId n, int64_t mlp_features, bool bias)
      const;  // The rows [T, N] enter the layer's cache `name` of that format, which is what attention reads then.
  static ValueId cached(Builder& build, std::string_view name, ValueId rows, const StepInputs& inputs, DType dtype);

  bool classifies() const { return !c_.labels.empty(); }
  int64_t query_features() const { return c_.heads * c_.head_dim; }
  int64_t key_features() const { return c_.kv_heads * c_.head_dim; }

  const DecoderConfig c_;
};

}  // namespace headroom
