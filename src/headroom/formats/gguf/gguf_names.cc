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
constexpr Names kOfLayer[] = {
    {"attn_norm", "input_layernorm"}, {"attn_q", "self_attn.q_proj"},      {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},   {"attn_output", "self_attn.o_proj"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},    {"ffn_up", "mlp.up_proj"},           {"ffn_down", "mlp.down_proj"}};
constexpr Names kLayers = {"blk.", "model.layers."};

using Side = std::string_view Names::*;

std::optional<std::string> translate(std::string_view name, Side from, Side to) {
  for (const std::string_view ending : {".weight", ".bias"}) {
    if (!name.ends_with(ending)) continue;
    std::string_view stem = name.substr(0, name.size() - ending.size());
    for (const Names& names : kOfModel) {
      if (stem == names.*from) return fmt::format("{}{}", names.*to, ending);
    }
    if (!stem.starts_with(kLayers.*from)) return std::nullopt;
    stem.remove_prefix((kLayers.*from).size());
    const size_t digits = std::min(stem.find_first_not_of("0123456789"), stem.size());
    if (digits == 0 || digits > 9 || (stem[0] == '0' && digits > 1)) return std::nullopt;
    for (const Names& names : kOfLayer) {
      if (stem.substr(digits) != fmt::format(".{}", names.*from)) continue;
      return fmt::format("{}{}.{}{}", kLayers.*to, stem.substr(0, digits), names.*to, ending);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> hugging_face_name(std::string_view gguf) {
  return translate(gguf, &Names::gguf, &Names::hugging_face);
}

std::optional<std::string> gguf_name(std::string_view hugging_face) {
  return translate(hugging_face, &Names::hugging_face, &Names::gguf);
}

RotaryProjection rotary_projection(std::string_view gguf) {
  const std::string_view stem = gguf.substr(0, gguf.rfind('.'));
  if (stem.ends_with(".attn_q")) return RotaryProjection::query;
  if (stem.ends_with(".attn_k")) return RotaryProjection::key;
  return RotaryProjection::none;
}

}  // namespace headroom
