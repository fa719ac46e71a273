// What attention's forward and backward share: where rows stand in memory, and packed copies of tiles.
//   H query heads, K key heads, D head size, Dp D rounded up to 16.
#pragma once

#include <algorithm>

#include "headroom/backend/attention_tiles.h"
#include "headroom/backend/cpu/attention_product.h"
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
// to do when those in sequences, `covered`, are as many as the output's.
HEADROOM_INLINE void clear_uncovered_rows(const Invocation& call, int64_t covered, const Tensor& output) {
  if (covered == output.dim(0)) return;
  with_elements(output, [&]<class Element>(const Element*) {
    Element* data = output.as<Element>();
    split_elements(call.threads, output.elements(), [=](int64_t i, auto n) { store(data + i, F32x16(0.0f), n); });
  });
}

// Of all sequences that have queries.
struct CoveredRows {
  HEADROOM_INLINE explicit CoveredRows(const Tensor& sequences) {
    for (int64_t index = 0; index < sequences.dim(0); ++index) {
      const Sequence sequence = sequence_at(sequences, index);
      if (sequence.queries <= 0) continue;
      queries += sequence.queries;
      keys += sequence.keys();
    }
  }
  int64_t queries = 0;
  int64_t keys = 0;
};

// Rows of one head in k or v, in their stored format.
template <class Element>
struct HeadRows {
  const Element* first;
  int64_t stride;  // elements from row to row
};

// The factor of a product with D steps, a key a column: to[d, j] = from[j][d] for j < rows <= 64; columns beyond are
// +0.
template <class Element>
HEADROOM_INLINE void pack_transposed(HeadRows<Element> from, int64_t rows, int64_t size, const Panels& to) {
  for (int64_t j = 0; j < kKeyBlock; j += kTransposeTile) {
    const int64_t height = std::clamp<int64_t>(rows - j, 0, kTransposeTile);
    const Element* strip = from.first + (height > 0 ? j : 0) * from.stride;
    for (int64_t d = 0; d < size; d += kTransposeTile) {
      transpose_tile(strip + d, from.stride, height, std::min<int64_t>(size - d, kTransposeTile), to.at(d, j),
                     to.width(j));
    }
  }
}

// The factor of a product with a row a step: to[j, d] = from[j][d] for j < rows; columns from D to Dp are +0.
template <class Element>
HEADROOM_INLINE void pack_rows(HeadRows<Element> from, int64_t rows, int64_t size, const Panels& to) {
  for (int64_t j = 0; j < rows; ++j) {
    const Element* row = from.first + j * from.stride;
    for_each_group(0, size, [&](int64_t d, auto n) { store(to.at(j, d), load(row + d, n)); });
  }
}

// Asks for the bytes of rows [begin, end) to come into the second cache.
template <class Element>
HEADROOM_INLINE void prefetch_rows(HeadRows<Element> from, int64_t begin, int64_t end, int64_t size) {
  constexpr int64_t kLine = 64 / sizeof(Element);
  for (int64_t j = begin; j < end; ++j) {
    const Element* row = from.first + j * from.stride;
    for (int64_t d = 0; d < size; d += kLine) _mm_prefetch(reinterpret_cast<const char*>(row + d), _MM_HINT_T1);
  }
}

// Copies D elements to a row of Dp, the rest +0.
template <class Element>
HEADROOM_INLINE void copy_row(const Element* from, const HeadLayout& layout, float* to) {
  for_each_group(0, layout.size, [&](int64_t d, auto n) { store(to + d, load(from + d, n)); });
}

}  // namespace headroom::HEADROOM_ISA
