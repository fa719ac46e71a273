// The two orders of the rows that make queries and keys. Hugging Face turns the halves of a head against each other
// (elements i and i + D/2), llama.cpp's llama architecture neighbours (2i and 2i + 1).
#pragma once

#include <cstdint>

namespace headroom {

// The row of a GGUF file that holds row `row` of a Hugging Face projection, D = head_dim.
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
