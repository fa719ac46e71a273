// Attention of few rows, as in decoding: all time goes into reading keys and values, so nothing is packed. Keys are
// transposed tile by tile in registers on their way into the scores; values are read where they stand.
#pragma once

#include "headroom/backend/cpu/attention_pack.h"

namespace headroom::HEADROOM_ISA {

// Above so many rows packing pays (measured).
#if defined(__AVX512F__)
inline constexpr int kFewRows = 16;
inline constexpr int kStripHeight = 8;  // rows that pass a register tile of keys at once
#else
inline constexpr int kFewRows = 8;
inline constexpr int kStripHeight = 4;
#endif

// The block of keys and values that comes after this one: asked for, line by line, while this one is read.
template <class Element>
struct BlockAhead {
  HeadRows<Element> keys;
  HeadRows<Element> values;
  int64_t rows;  // 0: nothing comes

  // Of rows [row, row + count) the line in which column d begins.
  HEADROOM_INLINE void ask(int64_t row, int64_t count, int64_t d) const {
    if (row >= rows || d * static_cast<int64_t>(sizeof(Element)) % 64 != 0) return;
    for (const HeadRows<Element>& from : {keys, values}) {
      const Element* line = from.first + row * from.stride + d;
#pragma GCC unroll 16
      for (int64_t r = 0; r < count; ++r) {
        _mm_prefetch(reinterpret_cast<const char*>(line + r * from.stride), _MM_HINT_T1);
      }
    }
  }
};

// scores[r, j] = the chain over d of q[r, d] * keys[j, d] for kRows rows and 16 keys. `size` is a multiple of
// kTransposeTile. Rows of q are q_stride apart, those of scores 64.
template <int kRows, class Element>
void score_strip(const float* q, int64_t q_stride, HeadRows<Element> keys, int64_t size, float* scores,
                 const BlockAhead<Element>& ahead, int64_t row_ahead) {
  constexpr int kTiles = 16 / kTransposeTile;
  F32x16 sums[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) sums[r] = F32x16(0.0f);
  for (int64_t d = 0; d < size; d += kTransposeTile) {
    ahead.ask(row_ahead, 16, d);
    TileRow tiles[kTiles][kTransposeTile];
#pragma GCC unroll 2
    for (int t = 0; t < kTiles; ++t) {
#pragma GCC unroll 16
      for (int r = 0; r < kTransposeTile; ++r) {
        tiles[t][r] = load_tile_row(keys.first + (t * kTransposeTile + r) * keys.stride + d);
      }
      transpose_registers(tiles[t]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kTransposeTile; ++i) {
#if defined(__AVX512F__)
      const F32x16 column(tiles[0][i]);
#else
      const F32x16 column(tiles[0][i], tiles[1][i]);
#endif
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) sums[r] = fma(F32x16(q[r * q_stride + d + i]), column, sums[r]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) store(scores + r * kKeyBlock, sums[r]);
}

template <class Element, size_t... kRowsBelow>
constexpr auto strip_functions(std::index_sequence<kRowsBelow...>) {
  return std::array{&score_strip<static_cast<int>(kRowsBelow) + 1, Element>...};
}

// The scores of `rows` rows, at most kFewRows, with a whole block of keys.
template <class Element>
void score_block(const float* q, int64_t q_stride, int64_t rows, HeadRows<Element> keys, int64_t size, float* scores,
                 const BlockAhead<Element>& ahead) {
  static constexpr auto kFunctions = strip_functions<Element>(std::make_index_sequence<kStripHeight>());
  for (int64_t j = 0; j < kKeyBlock; j += 16) {
    const HeadRows<Element> strip = {keys.first + j * keys.stride, keys.stride};
    for (int64_t row = 0; row < rows; row += kStripHeight) {
      const int64_t height = std::min<int64_t>(kStripHeight, rows - row);
      kFunctions[static_cast<size_t>(height - 1)](q + row * q_stride, q_stride, strip, size,
                                                  scores + row * kKeyBlock + j, ahead, row == 0 ? j : kKeyBlock);
    }
  }
}

}  // namespace headroom::HEADROOM_ISA
