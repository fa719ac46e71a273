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

// Hugging Face turns the halves of a head against each other (elements i and i + D/2), llama.cpp's llama architecture
// neighbours (2i and 2i + 1): the row of a GGUF file that holds row `row` of a Hugging Face projection, D = head_dim.
inline int64_t interleaved_row(int64_t row, int64_t head_dim) {
  const int64_t half = head_dim / 2;
  const int64_t in_head = row % head_dim;
  return row - in_head + in_head % half * 2 + in_head / half;
}

// And back: the row of a Hugging Face projection that row `row` of a GGUF file holds.
inline int64_t halved_row(int64_t row, int64_t head_dim) {
  const int64_t in_head = row % head_dim;
  return row - in_head + in_head % 2 * (head_dim / 2) + in_head / 2;
}

}  // namespace headroom
