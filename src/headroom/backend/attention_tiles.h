// The tiles of attention: the absolute blocks of its definition, and the scratch that its op plans and its kernels use.
//   D head size, Dp D rounded up to 16.
#pragma once

#include <cstdint>

#include "headroom/base/bytes.h"

namespace headroom {

// Keys are taken in blocks, and blocks in spans, at absolute positions of their sequence: part of the definition.
inline constexpr int64_t kKeyBlock = 64;
inline constexpr int64_t kKeySpan = 1024;
// Rows (pairs of a query and a head of its group) that share a packed block of keys.
inline constexpr int64_t kRowTile = 128;
inline constexpr int64_t kMaxHeadSize = 256;

inline int64_t padded_head_size(int64_t head_size) { return round_up(head_size, 16); }

// f32 elements of one thread's scratch, a multiple of 16.
// Forward: keys [D, 64] and values [64, Dp] of a block; q, the span's output and the merged output [128, Dp]; scores
// [16, 64]; largest score and sum of the span and of all, one number a row each.
inline int64_t attention_scratch_elements(int64_t head_size) {
  const int64_t padded = padded_head_size(head_size);
  return kKeyBlock * (head_size + padded + 16) + kRowTile * (3 * padded + 4);
}

// Backward: keys and values [D, 64], keys, dk and dv [64, Dp]; q, dout and dq [128, Dp]; p and ds [128, 64]; lse and
// delta, one number a row each.
inline int64_t attention_backward_scratch_elements(int64_t head_size) {
  const int64_t padded = padded_head_size(head_size);
  return kKeyBlock * (2 * head_size + 3 * padded) + kRowTile * (3 * padded + 2 * kKeyBlock + 2);
}

}  // namespace headroom
