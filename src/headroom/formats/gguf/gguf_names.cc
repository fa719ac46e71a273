#include "headroom/formats/gguf/gguf_names.h"

#include <fmt/core.h>

#include <algorithm>

namespace headroom {
namespace {

struct Names {
  std::string_view gguf;
  std::string_view hugging_face;
};

constexpr Names kOfModel[] = {
    {"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}};
constexpr Names kOfLayer[] = {{"attn_norm", "input_layernorm"},
                              {"attn_q", "self_attn.q_proj"},
                              {"attn_k", "self_attn.k_proj"},
                              {"attn_v", "self_attn.v_proj"},
                              {"attn_output", "self_attn.o_proj"},
                              {"attn_q_a", "self_attn.q_a_proj"},
                              {"attn_q_a_norm", "self_attn.q_a_layernorm"},
                              {"attn_q_b", "self_attn.q_b_proj"},
                              {"attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa"},
                              {"attn_kv_a_norm", "self_attn.kv_a_layernorm"},
                              {"attn_kv_b", "self_attn.kv_b_proj"},
                              {"ffn_norm", "post_attention_layernorm"},
                              {"ffn_gate", "mlp.gate_proj"},
                              {"ffn_up", "mlp.up_proj"},
                              {"ffn_down", "mlp.down_proj"},
                              {"ffn_gate_inp", "mlp.gate"},
                              {"ffn_gate_shexp", "mlp.shared_experts.gate_proj"},
                              {"ffn_up_shexp", "mlp.shared_experts.up_proj"},
                              {"ffn_down_shexp", "mlp.shared_experts.down_proj"}};
constexpr Names kOfExperts[] = {{"ffn_gate", "gate_proj"}, {"ffn_up", "up_proj"}, {"ffn_down", "down_proj"}};
constexpr Names kLayers = {"blk.", "model.layers."};
constexpr Names kBias = {".exp_probs_b.bias", ".mlp.gate.e_score_correction_bias"};  // of the gate's choice
constexpr std::string_view kExperts = ".mlp.experts.", kStack = "_exps", kWeight = ".weight";

using Side = std::string_view Names::*;

// "12", without a sign, a space or a zero before it, from the beginning of `text`; empty for what is none.
std::string_view number_at(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > 9 || (text[0] == '0' && digits > 1)) return {};
  return text.substr(0, digits);
}

// "blk.3.ffn_gate" -> "3" and ".ffn_gate".
struct OfLayer {
  std::string_view number, rest;
};
std::optional<OfLayer> of_layer(std::string_view name, Side side) {
  if (!name.starts_with(kLayers.*side)) return std::nullopt;
  name.remove_prefix((kLayers.*side).size());
  const std::string_view number = number_at(name);
  if (number.empty()) return std::nullopt;
  return OfLayer{number, name.substr(number.size())};
}

std::optional<std::string> translate(std::string_view name, Side from, Side to) {
  const std::optional<OfLayer> layer = of_layer(name, from);
  if (layer && layer->rest == kBias.*from) return fmt::format("{}{}{}", kLayers.*to, layer->number, kBias.*to);
  for (const std::string_view ending : {kWeight, std::string_view(".bias")}) {
    if (!name.ends_with(ending)) continue;
    const std::string_view stem = name.substr(0, name.size() - ending.size());
    for (const Names& names : kOfModel) {
      if (stem == names.*from) return fmt::format("{}{}", names.*to, ending);
    }
    if (!layer || layer->rest.size() <= ending.size()) return std::nullopt;
    const std::string_view rest = layer->rest.substr(1, layer->rest.size() - 1 - ending.size());
    for (const Names& names : kOfLayer) {
      if (layer->rest[0] != '.' || rest != names.*from) continue;
      return fmt::format("{}{}.{}{}", kLayers.*to, layer->number, names.*to, ending);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> hugging_face_name(std::string_view gguf) {
  if (const auto name = translate(gguf, &Names::gguf, &Names::hugging_face)) return name;
  const std::optional<OfLayer> layer = of_layer(gguf, &Names::gguf);
  if (!layer || !layer->rest.ends_with(kWeight)) return std::nullopt;
  for (const Names& names : kOfExperts) {  // one of them, "blk.3.ffn_gate.7.weight"
    const std::string stem = fmt::format(".{}.", names.gguf);
    if (!layer->rest.starts_with(stem)) continue;
    const std::string_view expert = number_at(layer->rest.substr(stem.size()));
    if (expert.empty() || layer->rest.size() != stem.size() + expert.size() + kWeight.size()) continue;
    return fmt::format("{}{}{}{}.{}{}", kLayers.hugging_face, layer->number, kExperts, expert, names.hugging_face,
                       kWeight);
  }
  return std::nullopt;
}

std::optional<std::string> gguf_name(std::string_view hugging_face) {
  if (const auto name = translate(hugging_face, &Names::hugging_face, &Names::gguf)) return name;
  const std::optional<OfLayer> layer = of_layer(hugging_face, &Names::hugging_face);
  if (!layer || !layer->rest.starts_with(kExperts)) return std::nullopt;
  const std::string_view rest = layer->rest.substr(kExperts.size());
  const std::string_view expert = number_at(rest);
  for (const Names& names : kOfExperts) {
    if (expert.empty() || rest.substr(expert.size()) != fmt::format(".{}{}", names.hugging_face, kWeight)) continue;
    return fmt::format("{}{}.{}{}{}", kLayers.gguf, layer->number, names.gguf, kStack, kWeight);
  }
  return std::nullopt;
}

std::optional<ExpertNames> expert_names(std::string_view gguf) {
  const std::optional<OfLayer> layer = of_layer(gguf, &Names::gguf);
  if (!layer) return std::nullopt;
  for (const Names& names : kOfExperts) {
    if (layer->rest != fmt::format(".{}{}{}", names.gguf, kStack, kWeight)) continue;
    return ExpertNames{fmt::format("{}{}{}", kLayers.hugging_face, layer->number, kExperts),
                       fmt::format(".{}{}", names.hugging_face, kWeight)};
  }
  return std::nullopt;
}

RotaryProjection rotary_projection(std::string_view gguf) {
  const std::string_view stem = gguf.substr(0, gguf.rfind('.'));
  if (stem.ends_with(".attn_q")) return RotaryProjection::query;
  if (stem.ends_with(".attn_k")) return RotaryProjection::key;
  return RotaryProjection::none;
}

}  // namespace headroom
