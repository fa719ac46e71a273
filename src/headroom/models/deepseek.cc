// DeepSeek-V2 and V3, R1 and V3.1 (DeepSeek-AI 2024, arXiv 2405.04434 and 2412.19437).
// each layer:  h += o_proj(values(attention(absorb(rope(q(n))), [c | r], [c | r])))    n = rms_norm(h)
//              [c | r] = [rms_norm(c') | rope(r')],  [c' | r'] = kv_a_proj_with_mqa(n)
//              h += mlp(m), in the first layers, or shared_experts(m) + sum over the chosen of weight * expert(m)
//                                                                                      m = rms_norm(h)
// in the decoder of decoder.h. All heads attend one row [c | r] a token, its latent and its rotated key: absorb()
// multiplies a query by its head's part of kv_b_proj that would make keys of latents, values() what it attended by the
// part that makes values of them. That is the definition for training, prompts and new tokens alike.
//   T tokens, H query heads, N features of a query that are not rotated, R that are, V of a value, L of a latent,
//   E experts
#include <algorithm>
#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/models/decoder.h"
#include "headroom/models/known_fields.h"
#include "headroom/ops/add.h"
#include "headroom/ops/attention.h"
#include "headroom/ops/expert_matmul.h"
#include "headroom/ops/head_products.h"
#include "headroom/ops/join_columns.h"
#include "headroom/ops/rope.h"
#include "headroom/ops/route.h"
#include "headroom/ops/swiglu.h"

namespace headroom {
namespace {

constexpr double kLatentEps = 1e-6;  // of the norms of latents, whatever rms_norm_eps says

struct DeepseekConfig : DecoderConfig {
  int64_t query_latents = 0;   // q_lora_rank; 0: queries are made of n itself
  int64_t latents = 0;         // L, kv_lora_rank
  int64_t plain_features = 0;  // N, qk_nope_head_dim
  int64_t rotated = 0;         // R, qk_rope_head_dim
  int64_t value_features = 0;  // V, v_head_dim
  RotaryPairs pairs = RotaryPairs::neighbours;
  int64_t experts = 0;          // E, n_routed_experts; 0: all layers are dense
  int64_t dense_layers = 0;     // the first ones, first_k_dense_replace
  int64_t expert_features = 0;  // moe_intermediate_size
  int64_t shared_experts = 0;   // that every token goes to, as one MLP
  RouteSettings route;
  bool has_bias = false;       // e_score_correction_bias
  int64_t further_layers = 0;  // behind the model's, num_nextn_predict_layers
};

class Deepseek final : public Decoder {
 public:
  // `architecture`: borrowed, of the table.
  Deepseek(const Architecture& architecture, const DeepseekConfig& config)
      : Decoder(config), architecture_(architecture), d_(config) {}

  std::string_view architecture() const override {
    return classifies() ? architecture_.classifier : architecture_.name;
  }
  bool passes_over(std::string_view tensor) const override {
    for (int64_t n = d_.layers; n < d_.layers + d_.further_layers; ++n) {
      if (tensor.starts_with(fmt::format("model.layers.{}.", n))) return true;
    }
    return false;
  }
  std::vector<double> rotary_frequencies() const override {
    return headroom::rotary_frequencies(d_.rotary, d_.rotated);
  }

 private:
  ValueId attention(const Weights& weights, ValueId n, const StepInputs& inputs) const override {
    Builder& build = weights.build();
    const HeadProducts absorb = {.heads = d_.heads, .first = 0, .rows = d_.plain_features, .tail = d_.rotated};
    const HeadProducts values = {
        .heads = d_.heads, .first = d_.plain_features, .rows = d_.value_features, .to_latents = false};
    const double scale = d_.rotary.score_factor / std::sqrt(static_cast<double>(d_.plain_features + d_.rotated));
    const ValueId q = rope(build, queries(weights, n), inputs.positions, inputs.rotary_table, d_.heads, d_.pairs);
    const ValueId rows = latent_rows(weights, n, inputs);
    const ValueId kv_b = weights.weight("kv_b_proj.weight", {d_.heads * (absorb.rows + values.rows), d_.latents});
    const ValueId absorbed = head_products(build, q, kv_b, absorb);
    const ValueId attended =
        headroom::attention(build, absorbed, rows, rows, inputs.sequences, {d_.heads, 1, scale}).out;
    return weights.linear("o_proj", head_products(build, attended, kv_b, values), d_.features, false);
  }

  ValueId mlp(const Weights& weights, ValueId n) const override {
    const bool is_dense = d_.experts == 0 || weights.build().segment().layer < d_.dense_layers;
    if (is_dense) return gated_mlp(weights, n, d_.mlp_features, false);
    const auto [rows, shares] = route(weights, n);
    // The shared ones first: experts that are not in memory come meanwhile.
    const int64_t features = d_.shared_experts * d_.expert_features;
    const ValueId shared = features == 0 ? kNoValue : gated_mlp(weights.below("shared_experts"), n, features, false);
    const ValueId routed = routed_experts(weights, n, rows, shares);
    return shared == kNoValue ? routed : add(weights.build(), routed, shared);
  }

  struct Routed {
    ExpertRows rows;
    ValueId shares;  // f32[T, K]: what each expert's answer counts
  };

  Routed route(const Weights& weights, ValueId n) const {
    Builder& build = weights.build();
    const ValueId gate = weights.weight("gate.weight", {d_.experts, d_.features});
    const ValueId bias = d_.has_bias ? weights.constant("gate.e_score_correction_bias", {d_.experts}) : kNoValue;
    const Route route = headroom::route(build, scores_of(build, n, gate), bias, d_.route);
    return {group_rows(build, route.choice, d_.experts), route.weights};
  }

  ValueId routed_experts(const Weights& weights, ValueId n, const ExpertRows& rows, ValueId shares) const {
    Builder& build = weights.build();
    const auto stack = [&](std::string_view name, int64_t outputs, int64_t inputs) {
      return weights.stack("experts", name, {d_.experts, outputs, inputs}, stacks_);
    };
    const ValueId gates =
        expert_matmul(build, n, rows, stack("gate_proj.weight", d_.expert_features, d_.features), true);
    const ValueId ups = expert_matmul(build, n, rows, stack("up_proj.weight", d_.expert_features, d_.features), true);
    const ValueId downs = expert_matmul(build, swiglu(build, gates, ups), rows,
                                        stack("down_proj.weight", d_.features, d_.expert_features), false);
    return combine_rows(build, downs, rows.places, shares);
  }

  // f32 whatever the activations are: they decide.
  static ValueId scores_of(Builder& build, ValueId n, ValueId gate) {
    return build.value(
        "matmul", {n, gate},
        {{"transpose_a", int64_t{0}}, {"transpose_b", int64_t{1}}, {"result", static_cast<int64_t>(DType::f32)}});
  }

  // f32[T, H*(N+R)].
  ValueId queries(const Weights& weights, ValueId n) const {
    const int64_t features = d_.heads * (d_.plain_features + d_.rotated);
    if (d_.query_latents == 0) return weights.linear("q_proj", n, features, false);
    const ValueId latents = weights.linear("q_a_proj", n, d_.query_latents, false);
    return weights.linear("q_b_proj", weights.norm("q_a_layernorm", latents, kLatentEps), features, false);
  }

  // What attention reads, f32[T, L+R] or the layer's cache.
  ValueId latent_rows(const Weights& weights, ValueId n, const StepInputs& inputs) const {
    Builder& build = weights.build();
    const int64_t features = d_.latents + d_.rotated;
    const auto [latent, key] =
        split_columns(build, weights.linear("kv_a_proj_with_mqa", n, features, false), d_.latents);
    const ValueId normed = weights.norm("kv_a_layernorm", latent, kLatentEps);
    const ValueId turned = rope(build, key, inputs.positions, inputs.rotary_table, 1, d_.pairs);
    const ValueId rows = join_columns(build, {normed, turned});
    if (!inputs.has_cache()) return rows;
    return cached(build, "latent_cache", rows, inputs, shared_cache_type(inputs.cache_kind, features));
  }

  const Architecture& architecture_;
  const DeepseekConfig d_;
  mutable StackBindings stacks_;
};

void read_attention(const JsonObject& config, DeepseekConfig& model) {
  constexpr int64_t kMost = 1 << 16;
  model.heads = config.integer("num_attention_heads", 1, kMost);
  const int64_t kv_heads = config.integer_or("num_key_value_heads", model.heads, 1, kMost);
  expect_field(config, "num_key_value_heads", kv_heads == model.heads,
               fmt::format("num_attention_heads ({}): all heads attend one latent", model.heads));
  model.query_latents = config.integer_or("q_lora_rank", 0, 0, kMost);
  model.latents = config.integer("kv_lora_rank", 1, kMost);
  model.plain_features = config.integer("qk_nope_head_dim", 1, kMost);
  model.rotated = config.integer("qk_rope_head_dim", 2, kMost);
  model.value_features = config.integer("v_head_dim", 1, kMost);
  expect_field(config, "qk_rope_head_dim", model.rotated % 2 == 0, "an even number");
  expect_field(config, "kv_lora_rank", model.latents + model.rotated <= 1024,
               "no more than 1024 together with qk_rope_head_dim");
  const auto expect_sum = [&](const char* key, int64_t value) {
    expect_field(config, key, config.integer_or(key, value, 0, kMost) == value, fmt::format("{}", value));
  };
  expect_sum("head_dim", model.rotated);
  expect_sum("qk_head_dim", model.plain_features + model.rotated);
  model.kv_heads = 1;
  model.head_dim = model.latents + model.rotated;
  model.pairs = config.boolean_or("rope_interleave", true) ? RotaryPairs::neighbours : RotaryPairs::halves;
  expect_field(config, "attention_bias", !config.boolean_or("attention_bias", false), "false");
}

// The names of V2's and V3's choices are those of their own code.
void read_gate(const JsonObject& config, bool is_v3, DeepseekConfig& model) {
  RouteSettings& route = model.route;
  const std::string method = config.text_or("topk_method", is_v3 ? "noaux_tc" : "greedy");
  const std::string scoring = config.text_or("scoring_func", is_v3 ? "sigmoid" : "softmax");
  const bool is_known = is_v3 ? method == "noaux_tc" : method == "greedy" || method == "group_limited_greedy";
  expect_field(config, "topk_method", is_known, is_v3 ? "noaux_tc" : "greedy or group_limited_greedy");
  expect_field(config, "scoring_func", scoring == (is_v3 ? "sigmoid" : "softmax"), is_v3 ? "sigmoid" : "softmax");
  route.scoring = is_v3 ? Scoring::sigmoid : Scoring::softmax;
  route.chosen = config.integer("num_experts_per_tok", 1, kMostExperts);
  route.normalise = config.boolean_or("norm_topk_prob", is_v3);
  expect_field(config, "norm_topk_prob", is_v3 || !route.normalise, "false beside softmax");
  route.scale = config.real_or("routed_scaling_factor", is_v3 ? 2.5 : 1.0, 0.0, 1e6);
  const int64_t groups = config.integer_or("n_group", is_v3 ? 8 : 1, 1, kMostExperts);
  const int64_t top_groups = config.integer_or("topk_group", is_v3 ? 4 : 1, 1, kMostExperts);
  if (method != "greedy") {
    expect_field(config, "n_group", model.experts % groups == 0,
                 fmt::format("a divisor of n_routed_experts ({})", model.experts));
    expect_field(config, "topk_group", top_groups <= groups, fmt::format("n_group ({}) at most", groups));
    route.groups = groups;
    route.top_groups = top_groups;
    route.group_best = is_v3 ? std::min<int64_t>(2, model.experts / groups) : 1;
  }
  const int64_t most = model.experts / route.groups * route.top_groups;
  expect_field(config, "num_experts_per_tok", route.chosen <= most,
               fmt::format("as many as take part ({}) at most", most));
  model.has_bias = is_v3;
}

void read_experts(const JsonObject& config, bool is_v3, DeepseekConfig& model) {
  model.experts = config.integer_or("n_routed_experts", 0, 0, kMostExperts);
  model.dense_layers = config.integer_or("first_k_dense_replace", is_v3 ? 3 : 0, 0, 1 << 10);
  expect_field(config, "moe_layer_freq", config.integer_or("moe_layer_freq", 1, 0, 1 << 10) == 1, "1");
  model.shared_experts = config.integer_or("n_shared_experts", 0, 0, kMostExperts);
  model.expert_features = config.integer_or("moe_intermediate_size", 0, model.experts > 0 ? 1 : 0, 1 << 24);
  if (model.experts > 0) read_gate(config, is_v3, model);
  model.further_layers = config.integer_or("num_nextn_predict_layers", 0, 0, 16);
  // Of training and of serving as the publishers did them.
  for (const char* key : {"aux_loss_alpha", "seq_aux", "ep_size", "num_mtp_layers"}) config.has(key);
}

std::unique_ptr<Model> read_deepseek(const JsonObject& config, bool is_v3, const Architecture& architecture) {
  DeepseekConfig model;
  static_cast<DecoderConfig&>(model) = read_decoder_config(config);
  read_attention(config, model);
  read_experts(config, is_v3, model);
  refuse_unknown_fields(config);
  return std::make_unique<Deepseek>(architecture, model);
}

std::unique_ptr<Model> read_v2(const JsonObject& config);
std::unique_ptr<Model> read_v3(const JsonObject& config);
constexpr Architecture kDeepseekV2{"DeepseekV2ForCausalLM", "DeepseekV2ForSequenceClassification", "deepseek_v2",
                                   &read_v2};
constexpr Architecture kDeepseekV3{"DeepseekV3ForCausalLM", "DeepseekV3ForSequenceClassification", "deepseek_v3",
                                   &read_v3};

std::unique_ptr<Model> read_v2(const JsonObject& config) { return read_deepseek(config, false, kDeepseekV2); }
std::unique_ptr<Model> read_v3(const JsonObject& config) { return read_deepseek(config, true, kDeepseekV3); }

}  // namespace

HEADROOM_ARCHITECTURE(kDeepseekV2);
HEADROOM_ARCHITECTURE(kDeepseekV3);

}  // namespace headroom
