// h = embedding(tokens)
// each layer:  h += o_proj(attention(rope(q_proj(n)), rope(k_proj(n)), v_proj(n)))    n = rms_norm(h)
//              h += down_proj(silu(gate_proj(m)) * up_proj(m))                        m = rms_norm(h)
// logits = lm_head(rms_norm(h))
//   T tokens, F features, H query heads, K heads of keys and values, D head size, M features of the MLP.
#include "headroom/models/llama.h"

#include <fmt/core.h>

#include <cmath>

#include "headroom/base/real_math.h"
#include "headroom/ops/add.h"
#include "headroom/ops/attention.h"
#include "headroom/ops/embedding.h"
#include "headroom/ops/matmul.h"
#include "headroom/ops/rms_norm.h"
#include "headroom/ops/rope.h"
#include "headroom/ops/swiglu.h"
#include "headroom/ops/write_rows.h"

namespace headroom {
namespace {

constexpr const char* kEmbedding = "model.embed_tokens.weight";
constexpr const char* kFinalNorm = "model.norm.weight";
constexpr const char* kHead = "lm_head.weight";

class Llama final : public Model {
 public:
  explicit Llama(const LlamaConfig& config) : c_(config) {}

  std::string_view architecture() const override { return "LlamaForCausalLM"; }
  int64_t vocabulary() const override { return c_.vocabulary; }
  int64_t features() const override { return c_.features; }
  int64_t layers() const override { return c_.layers; }
  int64_t max_positions() const override { return c_.max_positions; }
  DType stored_dtype() const override { return c_.dtype; }
  std::optional<int32_t> bos() const override { return c_.bos; }
  std::vector<int32_t> eos() const override { return c_.eos; }

  std::vector<Parameter> parameters() const override;
  double initial_deviation(const Parameter& parameter) const override {
    return parameter.shape.rank() == 1 ? 0.0 : c_.initializer_range;
  }
  std::vector<double> rotary_frequencies() const override;
  ValueId forward(Builder& build, const StepInputs& inputs, DType weight_dtype) const override;
  ValueId head_weight(Builder& build, DType weight_dtype) const override;

 private:
  ValueId attention_block(Builder& build, const std::string& layer, ValueId h, const StepInputs& inputs,
                          DType dtype) const;
  ValueId mlp_block(Builder& build, const std::string& layer, ValueId h, DType dtype) const;
  ValueId cached(Builder& build, const std::string& name, ValueId rows, const StepInputs& inputs) const;

  LlamaConfig c_;
};

std::string layer_name(int64_t layer) { return fmt::format("model.layers.{}.", layer); }

std::vector<Parameter> Llama::parameters() const {
  const int64_t f = c_.features;
  const int64_t m = c_.mlp_features;
  const int64_t q = c_.heads * c_.head_dim;
  const int64_t kv = c_.kv_heads * c_.head_dim;
  std::vector<Parameter> all = {{kEmbedding, {c_.vocabulary, f}}};
  for (int64_t i = 0; i < c_.layers; ++i) {
    const std::string layer = layer_name(i);
    all.push_back({layer + "input_layernorm.weight", {f}});
    all.push_back({layer + "self_attn.q_proj.weight", {q, f}});
    all.push_back({layer + "self_attn.k_proj.weight", {kv, f}});
    all.push_back({layer + "self_attn.v_proj.weight", {kv, f}});
    all.push_back({layer + "self_attn.o_proj.weight", {f, q}});
    all.push_back({layer + "post_attention_layernorm.weight", {f}});
    all.push_back({layer + "mlp.gate_proj.weight", {m, f}});
    all.push_back({layer + "mlp.up_proj.weight", {m, f}});
    all.push_back({layer + "mlp.down_proj.weight", {f, m}});
  }
  all.push_back({kFinalNorm, {f}});
  if (!c_.tied_embeddings) all.push_back({kHead, {c_.vocabulary, f}});
  return all;
}

std::vector<double> Llama::rotary_frequencies() const {
  std::vector<double> frequencies;
  for (int64_t i = 0; i < c_.head_dim / 2; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(c_.head_dim);
    frequencies.push_back(real::pow(c_.rope_theta, exponent) / c_.rope_factor);
  }
  return frequencies;
}

ValueId Llama::forward(Builder& build, const StepInputs& inputs, DType dtype) const {
  build.set_scope("embedding");
  ValueId h =
      embedding(build, build.input(kEmbedding, {dtype, {c_.vocabulary, c_.features}}, Role::weight), inputs.tokens);
  for (int64_t i = 0; i < c_.layers; ++i) {
    build.set_scope(fmt::format("layers.{}", i));
    h = add(build, h, attention_block(build, layer_name(i), h, inputs, dtype));
    h = add(build, h, mlp_block(build, layer_name(i), h, dtype));
  }
  build.set_scope("head");
  return rms_norm(build, h, build.input(kFinalNorm, {dtype, {c_.features}}, Role::weight), c_.norm_eps).y;
}

ValueId Llama::attention_block(Builder& build, const std::string& layer, ValueId h, const StepInputs& inputs,
                               DType dtype) const {
  const auto weight = [&](const char* name, const Shape& shape) {
    return build.input(layer + name, {dtype, shape}, Role::weight);
  };
  const int64_t q_features = c_.heads * c_.head_dim;
  const int64_t kv_features = c_.kv_heads * c_.head_dim;
  const ValueId n = rms_norm(build, h, weight("input_layernorm.weight", {c_.features}), c_.norm_eps).y;
  ValueId q = linear(build, n, weight("self_attn.q_proj.weight", {q_features, c_.features}));
  ValueId k = linear(build, n, weight("self_attn.k_proj.weight", {kv_features, c_.features}));
  ValueId v = linear(build, n, weight("self_attn.v_proj.weight", {kv_features, c_.features}));
  q = rope(build, q, inputs.positions, inputs.rotary_table, c_.heads);
  k = rope(build, k, inputs.positions, inputs.rotary_table, c_.kv_heads);
  if (inputs.cache_range != kNoValue) {
    k = cached(build, build.scope() + ".k_cache", k, inputs);
    v = cached(build, build.scope() + ".v_cache", v, inputs);
  }
  const double scale = 1.0 / std::sqrt(static_cast<double>(c_.head_dim));
  const ValueId attended = attention(build, q, k, v, inputs.sequences, {c_.heads, c_.kv_heads, scale}).out;
  return linear(build, attended, weight("self_attn.o_proj.weight", {c_.features, q_features}));
}

ValueId Llama::mlp_block(Builder& build, const std::string& layer, ValueId h, DType dtype) const {
  const auto weight = [&](const char* name, const Shape& shape) {
    return build.input(layer + name, {dtype, shape}, Role::weight);
  };
  const ValueId n = rms_norm(build, h, weight("post_attention_layernorm.weight", {c_.features}), c_.norm_eps).y;
  const ValueId gate = linear(build, n, weight("mlp.gate_proj.weight", {c_.mlp_features, c_.features}));
  const ValueId up = linear(build, n, weight("mlp.up_proj.weight", {c_.mlp_features, c_.features}));
  return linear(build, swiglu(build, gate, up), weight("mlp.down_proj.weight", {c_.features, c_.mlp_features}));
}

ValueId Llama::cached(Builder& build, const std::string& name, ValueId rows, const StepInputs& inputs) const {
  const ValueId cache = build.input(name, f32({inputs.cache_rows, build.type(rows).shape[1]}), Role::kv_cache);
  const ValueId written = write_rows(build, cache, rows, inputs.cache_range);
  build.carry(cache, written);
  return written;
}

ValueId Llama::head_weight(Builder& build, DType dtype) const {
  if (c_.tied_embeddings) return build.graph().find(kEmbedding);
  return build.input(kHead, {dtype, {c_.vocabulary, c_.features}}, Role::weight);
}

std::unique_ptr<Model> read_llama(const JsonObject& config) { return make_llama(read_llama_config(config)); }

constexpr Architecture kLlama{"LlamaForCausalLM", "llama", &read_llama};

}  // namespace

std::unique_ptr<Model> make_llama(const LlamaConfig& config) { return std::make_unique<Llama>(config); }

}  // namespace headroom

HEADROOM_ARCHITECTURE(headroom::kLlama);
