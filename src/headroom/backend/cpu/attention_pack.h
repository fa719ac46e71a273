// What attention's forward and backward share: where rows stand in memory, and packed copies of tiles.
//   H query heads, K key heads, D head size, Dp D rounded up to 16.
#pragma once

#include <algorithm>

#include "headroom/backend/attention_tiles.h"
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/cpu/transpose.h"
#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

// One row of `sequences`.
struct Sequence {
  int64_t first_query;
  int64_t queries;
  int64_t first_key;
  int64_t position;  // of the first query

  int64_t keys() const { return position + queries; }
};

HEADROOM_INLINE Sequence sequence_at(const Tensor& sequences, int64_t index) {
  const int32_t* numbers = sequences.as<const int32_t>() + 4 * index;
  return {numbers[0], numbers[1], numbers[2], numbers[3]};
}

struct HeadLayout {
  HEADROOM_INLINE HeadLayout(const Tensor& q, const Attributes& attributes)
      : heads(attributes.integer("heads")),
        kv_heads(attributes.integer("kv_heads")),
        group(heads / kv_heads),
        size(q.dim(1) / heads),
        padded(round_up(size, 16)) {}

  // Element offsets of a head's row in q, out and the like, and in k and v.
  HEADROOM_INLINE int64_t query_offset(int64_t query, int64_t head) const { return (query * heads + head) * size; }
  HEADROOM_INLINE int64_t key_offset(int64_t key, int64_t kv_head) const { return (key * kv_heads + kv_head) * size; }
  HEADROOM_INLINE int64_t key_stride() const { return kv_heads * size; }

  int64_t heads;
  int64_t kv_heads;
  int64_t group;   // query heads that share a key head
  int64_t size;    // D
  int64_t padded;  // Dp
};

// Zeroes `output` [T, ...] where its rows are in no sequence. Rows of two sequences do not overlap, so there is nothing
// to do when the sequences are as long as the output.
HEADROOM_INLINE void clear_uncovered_rows(const Invocation& call, const Tensor& sequences, const Tensor& output) {
  int64_t covered = 0;
  for (int64_t index = 0; index < sequences.dim(0); ++index) {
    covered += std::max<int64_t>(0, sequence_at(sequences, index).queries);
  }
  if (covered == output.dim(0)) return;
  float* data = output.as<float>();
  split_elements(call.threads, output.elements(), [=](int64_t i, int64_t n) { store(data + i, F32x16(0.0f), n); });
}

// to[d][j] = from[j][d] for j < rows <= 64, d < columns; rows of `to` are 64 long, those beyond `rows` +0.
HEADROOM_INLINE void pack_transposed(const float* from, int64_t stride, int64_t rows, int64_t columns, float* to) {
  for (int64_t j = 0; j < kKeyBlock; j += kTransposeTile) {
    const int64_t height = std::clamp<int64_t>(rows - j, 0, kTransposeTile);
    for (int64_t d = 0; d < columns; d += kTransposeTile) {
      transpose_tile(from + (height > 0 ? j : 0) * stride + d, stride, height,
                     std::min<int64_t>(columns - d, kTransposeTile), to + d * kKeyBlock + j, kKeyBlock);
    }
  }
}

// Copies D elements to a row of Dp, the rest +0; and back.
HEADROOM_INLINE void pack_row(const float* from, const HeadLayout& layout, float* to) {
  for_each_group(0, layout.size, [&](int64_t d, int64_t n) { store(to + d, load(from + d, n)); });
}
HEADROOM_INLINE void unpack_row(const float* from, const HeadLayout& layout, float* to) {
  for_each_group(0, layout.size, [&](int64_t d, int64_t n) { store(to + d, load(from + d, n), n); });
}

}  // namespace headroom::HEADROOM_ISA
