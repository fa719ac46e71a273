// Products with very few rows, as in decoding: C[M,N] = A[M,K] * W[N,K]^T. All time goes into reading W, so nothing is
// packed: tiles of W are transposed in registers, and each lane runs the chain of one column of C over k, ascending.
// W is read as a strip of rows side by side, which is more streams than the hardware foresees: lines are asked for.
#pragma once

#include "headroom/backend/cpu/simd.h"
#include "headroom/backend/cpu/transpose.h"

namespace headroom::HEADROOM_ISA {

// The most rows of C that one pass over W makes, after the registers that a tile leaves.
inline constexpr int kStripRows = kTransposeTile == 16 ? 8 : 6;
inline constexpr int64_t kAheadBytes = 2048;  // of a row of W; measured

// Columns of a strip. One chain of 8 lanes waits for itself longer than memory for its 16 bytes: then there are two.
template <int kRows, class Element>
inline constexpr int kStripColumns = kTransposeTile == 8 && kRows == 1 && sizeof(Element) == 2 ? 16 : kTransposeTile;

struct Strip {
  const float* a;  // rows of a and w are contiguous along k
  int64_t a_stride;
  int64_t w_stride;
  int64_t depth;
  float* c;
  int64_t c_stride;
  bool from_zero;
};

// Column `column` of the strip from depth `k` on: what whole tiles leave.
template <int kRows, class Element>
void finish_column(const Strip& strip, const Element* w, int64_t k, int64_t column) {
  float sums[kRows];
  const bool from_zero = strip.from_zero && k == 0;
  for (int r = 0; r < kRows; ++r) sums[r] = from_zero ? 0.0f : strip.c[r * strip.c_stride + column];
  for (; k < strip.depth; ++k) {
    const float weight = load_one(w + column * strip.w_stride + k);
    for (int r = 0; r < kRows; ++r) sums[r] = __builtin_fmaf(strip.a[r * strip.a_stride + k], weight, sums[r]);
  }
  for (int r = 0; r < kRows; ++r) strip.c[r * strip.c_stride + column] = sums[r];
}

// kRows rows of C, `width` columns of them, at most kStripColumns.
template <int kRows, class Element>
void multiply_strip(const Strip& strip, const Element* w, int64_t width) {
  constexpr int kColumns = kStripColumns<kRows, Element>;
  constexpr int kTiles = kColumns / kTransposeTile;
  constexpr int64_t kStep = 64 / sizeof(Element);
  constexpr int64_t kAhead = kAheadBytes / static_cast<int64_t>(sizeof(Element));
  const int64_t whole = width == kColumns ? strip.depth / kStep * kStep : 0;
  const int64_t stride = strip.w_stride;
  if (whole > 0) {
    TileRow sums[kTiles][kRows];
#pragma GCC unroll 2
    for (int t = 0; t < kTiles; ++t) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const float* c = strip.c + r * strip.c_stride + t * kTransposeTile;
        sums[t][r] = strip.from_zero ? broadcast_row(0.0f) : load_tile_row(c);
      }
    }
    for (int64_t k = 0; k < whole; k += kStep) {
      // At the end of the rows, the beginning of the next strip's.
      const int64_t ahead = k + kAhead < strip.depth ? k + kAhead : kColumns * stride + k + kAhead - strip.depth;
      for (int64_t r = 0; r < kColumns; ++r) prefetch(w, r * stride + ahead);
#pragma GCC unroll 2
      for (int t = 0; t < kTiles; ++t) {
        for_each_column(
            w + t * kTransposeTile * stride + k, stride, [&](int i, TileRow column) __attribute__((always_inline)) {
#pragma GCC unroll 8
              for (int r = 0; r < kRows; ++r) {
                sums[t][r] = fma_rows(broadcast_row(strip.a[r * strip.a_stride + k + i]), column, sums[t][r]);
              }
            });
      }
    }
#pragma GCC unroll 2
    for (int t = 0; t < kTiles; ++t) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        store_tile_row(strip.c + r * strip.c_stride + t * kTransposeTile, sums[t][r]);
      }
    }
  }
  if (whole > 0 && whole == strip.depth) return;
  for (int64_t column = 0; column < width; ++column) finish_column<kRows>(strip, w, whole, column);
}

}  // namespace headroom::HEADROOM_ISA
