#include "headroom/formats/gguf/gguf_deepseek2.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr int64_t kMostHeads = 1 << 16;
constexpr int64_t kSoftmax = 1, kSigmoid = 2;  // expert_gating_func
constexpr double kLogarithm = 0.1;             // of YaRN's magnitude: 1 + 0.1 mscale ln(factor)

struct Groups {
  int64_t count = 1, used = 1;
};

Groups groups_of(GgufKeys& keys, int64_t experts, bool is_sigmoid) {
  if (keys.has("expert_group_count")) {
    return {keys.integer("expert_group_count", kMostHeads), keys.integer_or("expert_group_used_count", 1, kMostHeads)};
  }
  if (is_sigmoid && experts == 256) return {8, 4};   // DeepSeek-V3
  if (!is_sigmoid && experts == 160) return {8, 3};  // DeepSeek-V2
  return {};
}

// rope_scaling of config.json.
nlohmann::ordered_json yarn(GgufKeys& keys) {
  nlohmann::ordered_json scaling = {
      {"type", "yarn"},
      {"factor", keys.decimal_or("rope.scaling.factor", 1.0, 1.0, 1e6)},
      {"original_max_position_embeddings", keys.integer_or("rope.scaling.original_context_length", 4096)},
      {"beta_fast", keys.decimal_or("rope.scaling.yarn_beta_fast", 32.0, 1e-3, 1e6)},
      {"beta_slow", keys.decimal_or("rope.scaling.yarn_beta_slow", 1.0, 1e-3, 1e6)}};
  const double multiplier = keys.decimal_or("rope.scaling.yarn_log_multiplier", 0.0, 0.0, 1e3);
  if (multiplier == 0) {
    scaling["attention_factor"] = 1.0;
  } else {
    const double scale = std::round(multiplier / kLogarithm * 1e6) / 1e6;
    scaling["mscale"] = scale;
    scaling["mscale_all_dim"] = scale;
  }
  return scaling;
}

void add_experts_fields(GgufKeys& keys, nlohmann::ordered_json& config) {
  const GgufFile& file = keys.file();
  const int64_t experts = keys.integer("expert_count");
  const int64_t gate = keys.integer_or("expert_gating_func", kSoftmax);
  keys.expect("expert_gating_func", gate == kSoftmax || gate == kSigmoid, "1 (softmax) or 2 (sigmoid)");
  const bool is_sigmoid = gate == kSigmoid;
  const Groups groups = groups_of(keys, experts, is_sigmoid);
  if (is_sigmoid) {
    config["architectures"] = {"DeepseekV3ForCausalLM"};
    config["model_type"] = "deepseek_v3";
  }
  config["n_routed_experts"] = experts;
  config["n_shared_experts"] = file.integer_or(keys.full("expert_shared_count"), 0, 0, kMostHeads);
  config["num_experts_per_tok"] = keys.integer("expert_used_count", kMostHeads);
  config["moe_intermediate_size"] = keys.integer("expert_feed_forward_length");
  config["first_k_dense_replace"] = file.integer_or(keys.full("leading_dense_block_count"), 0, 0, kMostHeads);
  config["moe_layer_freq"] = 1;
  config["n_group"] = groups.count;
  config["topk_group"] = groups.used;
  config["topk_method"] = is_sigmoid ? "noaux_tc" : groups.count > 1 ? "group_limited_greedy" : "greedy";
  config["scoring_func"] = is_sigmoid ? "sigmoid" : "softmax";
  config["norm_topk_prob"] = file.boolean_or(keys.full("expert_weights_norm"), false);
  config["routed_scaling_factor"] = keys.decimal_or("expert_weights_scale", 1.0, 0.0, 1e6);
  keys.expect("nextn_predict_layers", file.integer_or(keys.full("nextn_predict_layers"), 0, 0, kMostHeads) == 0,
              "0: no layers that predict further tokens");
}

constexpr const char* kOriginal = "original_max_position_embeddings";

// YaRN's, under either name as models/rotary.h reads it; nothing where nothing is scaled.
std::optional<JsonObject> scaling_of(const JsonObject& config) {
  std::optional<JsonObject> rope = config.object_if("rope_scaling");
  if (!rope || rope->keys().empty()) rope = config.object_if("rope_parameters");
  if (!rope) return std::nullopt;
  const std::string type = rope->text_or(rope->has("rope_type") ? "rope_type" : "type", "default");
  if (type == "default" || type == "dynamic") return std::nullopt;
  const double all = rope->real_or("mscale_all_dim", 0.0, 0.0, 1e3);
  if (type == "yarn" && rope->real_or("beta_fast", 32.0, 0.0, 1e6) == 32.0 &&
      rope->real_or("beta_slow", 1.0, 0.0, 1e6) == 1.0 && rope->real_or("mscale", all, 0.0, 1e3) == all &&
      (all != 0 || rope->real_or("attention_factor", 0.0, 0.0, 1e3) == 1.0)) {
    return rope;
  }
  throw InvalidInput(
      "{}: GGUF files of deepseek2 hold YaRN by its factor, original positions and mscale_all_dim only; expected that, "
      "mscale alike, beta_fast 32 and beta_slow 1, or attention_factor 1 without them",
      config.where("rope_scaling"));
}

}  // namespace

void add_deepseek2_fields(GgufKeys& keys, nlohmann::ordered_json& config) {
  const GgufFile& file = keys.file();
  config["model_type"] = "deepseek_v2";
  const int64_t heads = keys.integer("attention.head_count", kMostHeads);
  keys.integer_or("attention.head_count_kv", 1);  // 1, or in old files all: latents are shared
  // key_length is that of a row of the cache where key_length_mla is a head's.
  const int64_t cached_key = keys.integer("attention.key_length", kMostHeads);
  const int64_t cached_value = keys.integer("attention.value_length", kMostHeads);
  const int64_t key = keys.integer_or("attention.key_length_mla", cached_key, kMostHeads);
  const int64_t rotated = keys.integer("rope.dimension_count", kMostHeads);
  keys.expect("rope.dimension_count", rotated < key, fmt::format("less than a key's length, which is {}", key));
  config["num_attention_heads"] = heads;
  config["num_key_value_heads"] = heads;
  config["q_lora_rank"] = nullptr;
  if (keys.has("attention.q_lora_rank")) config["q_lora_rank"] = keys.integer("attention.q_lora_rank", kMostHeads);
  config["kv_lora_rank"] = keys.integer("attention.kv_lora_rank", kMostHeads);
  config["qk_nope_head_dim"] = key - rotated;
  config["qk_rope_head_dim"] = rotated;
  config["v_head_dim"] = keys.integer_or("attention.value_length_mla", cached_value, kMostHeads);
  add_experts_fields(keys, config);
  const std::string scaling = file.text_or(keys.full("rope.scaling.type"), "none");
  keys.expect("rope.scaling.type", scaling == "none" || scaling == "yarn", "none or yarn");
  if (scaling == "yarn") config["rope_scaling"] = yarn(keys);
}

void expect_deepseek2_fields(const JsonObject& config) {
  scaling_of(config);
  if (config.boolean_or("rope_interleave", true)) return;
  throw InvalidInput("{}: GGUF files of deepseek2 rotate neighbours; expected true", config.where("rope_interleave"));
}

void write_deepseek2_fields(const JsonObject& config, GgufWriter& writer) {
  const auto key = [](std::string_view name) { return fmt::format("deepseek2.{}", name); };
  const auto field = [&](const char* name) { return config.integer(name, 0, GgufKeys::kLargest); };
  const auto copy = [&](const char* name, const char* from) { writer.integer(key(name), field(from)); };
  const int64_t rotated = field("qk_rope_head_dim"), latents = field("kv_lora_rank");
  copy("attention.head_count", "num_attention_heads");
  writer.integer(key("attention.head_count_kv"), 1);
  if (config.has("q_lora_rank")) copy("attention.q_lora_rank", "q_lora_rank");
  writer.integer(key("attention.kv_lora_rank"), latents);
  writer.integer(key("attention.key_length"), latents + rotated);
  writer.integer(key("attention.value_length"), latents);
  writer.integer(key("attention.key_length_mla"), field("qk_nope_head_dim") + rotated);
  copy("attention.value_length_mla", "v_head_dim");
  writer.integer(key("rope.dimension_count"), rotated);
  const bool is_sigmoid = config.text_or("scoring_func", "softmax") == "sigmoid";
  copy("expert_count", "n_routed_experts");
  copy("expert_used_count", "num_experts_per_tok");
  writer.integer(key("expert_shared_count"), config.integer_or("n_shared_experts", 0, 0, GgufKeys::kLargest));
  copy("expert_feed_forward_length", "moe_intermediate_size");
  copy("leading_dense_block_count", "first_k_dense_replace");
  const bool has_groups = is_sigmoid || config.text_or("topk_method", "greedy") == "group_limited_greedy";
  writer.integer(key("expert_group_count"), has_groups ? field("n_group") : 1);
  writer.integer(key("expert_group_used_count"), has_groups ? field("topk_group") : 1);
  writer.integer(key("expert_gating_func"), is_sigmoid ? kSigmoid : kSoftmax);
  writer.boolean(key("expert_weights_norm"), config.boolean_or("norm_topk_prob", false));
  writer.real(key("expert_weights_scale"), config.real_or("routed_scaling_factor", 1.0, 0.0, 1e6));
  const std::optional<JsonObject> rope = scaling_of(config);
  if (!rope) return;
  const JsonObject& original = config.has(kOriginal) ? config : *rope;
  const double all = rope->real_or("mscale_all_dim", 0.0, 0.0, 1e3);
  writer.text(key("rope.scaling.type"), "yarn");
  writer.real(key("rope.scaling.factor"), rope->real("factor", 1.0, 1e6));
  writer.integer(key("rope.scaling.original_context_length"), original.integer(kOriginal, 1, GgufKeys::kLargest));
  if (all != 0) writer.real(key("rope.scaling.yarn_log_multiplier"), kLogarithm * all);
}

}  // namespace headroom
