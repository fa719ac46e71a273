// kv_b_proj of latent attention where a GGUF file holds it in two tensors, as llama.cpp multiplies by them:
//   H heads, L features of a latent, N of a key that are not rotated, V of a value
//   attn_k_b   [H, L, N]      transposed
//   attn_v_b   [H, V, L]
//   kv_b_proj  [H (N + V), L]: of each head the rows of its key, then those of its value
#pragma once

#include "headroom/formats/gguf/gguf_file.h"

namespace headroom {

struct GgufLatents {
  // Throws InvalidInput where the two do not fit each other.
  GgufLatents(const GgufTensor& of_keys, const GgufTensor& of_values);

  GgufTensor keys, values;

  Shape shape() const;
  // Whether both are in one type of single elements; others are read as the numbers that they stand for.
  bool is_plain() const;
  // Elements [first, first + count) of kv_b_proj as `wanted`, with the keys of one head at a time on the heap.
  void read(int64_t first, int64_t count, DType wanted, std::byte* out) const;
};

}  // namespace headroom
