#include "headroom/models/decoder.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "headroom/ops/add.h"
#include "headroom/ops/add_bias.h"
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
constexpr const char* kHead = "lm_head.weight";

}  // namespace

ValueId Weights::weight(std::string_view name, const Shape& shape) const {
  const std::string full_name = fmt::format("{}.{}", name_, name);
  const DType format = formats_(full_name);
  auto binding = std::make_shared<Binding>(bind_whole(full_name, shape));
  if (shape.rank() > 1 && deviation_ > 0) {
    const auto& inputs = build_.graph().inputs;
    const auto before = std::count_if(inputs.begin(), inputs.end(),
                                      [&](ValueId id) { return build_.graph().value(id).role == Role::weight; });
    binding->initial = {Initial::Kind::normal, deviation_, static_cast<uint64_t>(before)};
  } else {
    binding->initial.scale = shape.rank() > 1 || name.ends_with("bias") ? 0.0 : 1.0;
  }
  binding->is_trained = is_scalar(format);
  binding->stays = !is_scalar(format);
  return build_.input(full_name, {format, shape}, Role::weight, std::move(binding));
}

ValueId Weights::constant(std::string_view name, const Shape& shape) const {
  const std::string full_name = fmt::format("{}.{}", name_, name);
  auto binding = std::make_shared<Binding>(bind_whole(full_name, shape));
  binding->is_trained = false;
  binding->is_fixed = true;
  binding->stays = true;
  return build_.input(full_name, f32(shape), Role::weight, std::move(binding));
}

ValueId Weights::stack(std::string_view first, std::string_view last, const Shape& shape,
                       StackBindings& bindings) const {
  const std::string full_name = fmt::format("{}.{}.{}", name_, first, last);
  const DType format = formats_(full_name);
  return build_.input(full_name, {format, shape}, Role::weight,
                      bindings.of(name_ + "." + std::string(first), last, shape, deviation_, is_scalar(format)));
}

ValueId Weights::embed(std::string_view name, ValueId tokens, int64_t vocabulary, int64_t features) const {
  return embedding(build_, weight(fmt::format("{}.weight", name), {vocabulary, features}), tokens);
}

ValueId Weights::linear(std::string_view name, ValueId x, int64_t outputs, bool bias) const {
  const int64_t inputs = build_.type(x).shape[1];
  const ValueId y = headroom::linear(build_, x, weight(fmt::format("{}.weight", name), {outputs, inputs}));
  return bias ? add_bias(build_, y, weight(fmt::format("{}.bias", name), {outputs})) : y;
}

ValueId Weights::norm(std::string_view name, ValueId x, double eps) const {
  const int64_t features = build_.type(x).shape[1];
  return rms_norm(build_, x, weight(fmt::format("{}.weight", name), {features}), eps).y;
}

std::vector<Alias> Decoder::aliases() const {
  if (!c_.tied_embeddings || classifies()) return {};
  return {{kHead, kEmbedding}};
}

ValueId Decoder::forward(Builder& build, const StepInputs& inputs, const WeightFormats& formats) const {
  const Weights model(build, "model", formats, c_.initializer_range);
  build.set_segment({"embedding"});
  ValueId h = model.embed("embed_tokens", inputs.tokens, c_.vocabulary, c_.features);
  for (int64_t i = 0; i < c_.layers; ++i) {
    build.set_segment(layer_segment(i));
    const Weights layer = model.below(build.segment().name);
    const ValueId n = layer.norm("input_layernorm", h, c_.norm_eps);
    h = add(build, h, attention(layer.below("self_attn"), n, inputs));
    const ValueId m = layer.norm("post_attention_layernorm", h, c_.norm_eps);
    h = add(build, h, mlp(layer.below("mlp"), m));
  }
  build.set_segment({"head"});
  return model.norm("norm", h, c_.norm_eps);
}

ValueId Decoder::head_weight(Builder& build, const WeightFormats& formats) const {
  const auto declare = [&](std::string_view name, int64_t rows) {
    return Weights(build, std::string(name), formats, c_.initializer_range).weight("weight", {rows, c_.features});
  };
  if (classifies()) return declare("score", static_cast<int64_t>(c_.labels.size()));
  if (!c_.tied_embeddings) return declare("lm_head", c_.vocabulary);
  return build.graph().find(kEmbedding);
}

ValueId Decoder::rotate_and_attend(Builder& build, ValueId q, ValueId k, ValueId v, const StepInputs& inputs) const {
  q = rope(build, q, inputs.positions, inputs.rotary_table, c_.heads);
  k = rope(build, k, inputs.positions, inputs.rotary_table, c_.kv_heads);
  if (inputs.has_cache()) {
    const CacheTypes types = cache_types(inputs.cache_kind, c_.head_dim);
    k = cached(build, "k_cache", k, inputs, types.keys);
    v = cached(build, "v_cache", v, inputs, types.values);
  }
  const double scale = 1.0 / std::sqrt(static_cast<double>(c_.head_dim));
  return headroom::attention(build, q, k, v, inputs.sequences, {c_.heads, c_.kv_heads, scale}).out;
}

ValueId Decoder::cached(Builder& build, std::string_view name, ValueId rows, const StepInputs& inputs, DType dtype) {
  const Type type = {dtype, {inputs.cache_rows, build.type(rows).shape[1]}};
  const ValueId cache = build.input(fmt::format("{}.{}", build.segment().name, name), type, Role::kv_cache);
  const ValueId written = write_rows(build, cache, rows, inputs.cache_range);
  build.carry(cache, written);
  return written;
}

ValueId Decoder::gated_mlp(const Weights& weights, ValueId n, int64_t mlp_features, bool bias) const {
  const ValueId gate = weights.linear("gate_proj", n, mlp_features, bias);
  const ValueId up = weights.linear("up_proj", n, mlp_features, bias);
  return weights.linear("down_proj", swiglu(weights.build(), gate, up), c_.features, bias);
}

}  // namespace headroom
