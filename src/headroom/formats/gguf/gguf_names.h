// The tensors of a llama or qwen2 model: their names in GGUF files (llama.cpp's) and in Hugging Face files. One table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace headroom {

// "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight" and back; nothing for a name of neither.
std::optional<std::string> hugging_face_name(std::string_view gguf);
std::optional<std::string> gguf_name(std::string_view hugging_face);

// The rotary scaling of a model with llama3 scaling, which Hugging Face has in the config instead.
inline constexpr std::string_view kRopeFactors = "rope_freqs.weight";

// Whether the tensor makes queries or keys, whose rows the llama architecture of GGUF files has in another order.
enum class RotaryProjection : uint8_t { none, query, key };
RotaryProjection rotary_projection(std::string_view gguf);

}  // namespace headroom
