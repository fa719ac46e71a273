// The tensors of a model: their names in GGUF files (llama.cpp's) and in Hugging Face files. One table.
//
// Two things lie otherwise in the files of deepseek2: the experts of a layer are one tensor,
// "blk.3.ffn_gate_exps.weight" [experts, ...] (in old files one each, "blk.3.ffn_gate.7.weight"), and kv_b_proj is
// "blk.3.attn_kv_b.weight" or two (gguf_latents.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace headroom {

// "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight" and back; nothing for a name of neither. The name
// of an expert's tensor is that of the one that holds all of them.
std::optional<std::string> hugging_face_name(std::string_view gguf);
std::optional<std::string> gguf_name(std::string_view hugging_face);
// Of the tensor that holds all experts, what comes before and behind the number of one: "model.layers.3.mlp.experts."
// and
// ".gate_proj.weight"; nothing for others.
struct ExpertNames {
  std::string before, behind;
};
std::optional<ExpertNames> expert_names(std::string_view gguf);

// The rotary scaling of a model with llama3 scaling, which Hugging Face has in the config instead.
inline constexpr std::string_view kRopeFactors = "rope_freqs.weight";

// Whether the tensor makes queries or keys, whose rows the llama architecture of GGUF files has in another order.
enum class RotaryProjection : uint8_t { none, query, key };
RotaryProjection rotary_projection(std::string_view gguf);

}  // namespace headroom
