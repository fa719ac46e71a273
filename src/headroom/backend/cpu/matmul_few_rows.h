// Products with very few rows, as in decoding: C[M,N] = A[M,K] * W[N,K]^T, M at most 8 or 16. All time goes into
// reading W, so nothing is packed: 16 rows of W are transposed tile by tile in registers, and each lane runs the chain
// of one column of C over k, ascending.
#pragma once

#include <algorithm>

#include "headroom/backend/cpu/simd.h"
#include "headroom/backend/cpu/transpose.h"

namespace headroom::HEADROOM_ISA {

// Above so many rows packing pays (measured): 16 with AVX-512, 8 with AVX2.
inline constexpr int64_t kMostFewRows = kTransposeTile;
inline constexpr int64_t kStripRows = 4;
inline constexpr int64_t kStripColumns = 16;

// A strip of C: kRows rows, at most kStripRows, of `width` columns, at most kStripColumns. Rows of a and w are
// contiguous along k.
template <int kRows, class Element>
void multiply_strip(const float* a, int64_t a_stride, const Element* w, int64_t w_stride, int64_t depth, float* c,
                    int64_t c_stride, int64_t width, bool from_zero) {
  constexpr int kTiles = 16 / kTransposeTile;
  F32x16 sums[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) sums[r] = from_zero ? F32x16(0.0f) : load(c + r * c_stride, width);
  const int64_t whole = width == 16 ? depth / kTransposeTile * kTransposeTile : 0;
  for (int64_t k = 0; k < whole; k += kTransposeTile) {
    TileRow tiles[kTiles][kTransposeTile];
#pragma GCC unroll 2
    for (int t = 0; t < kTiles; ++t) {
#pragma GCC unroll 16
      for (int r = 0; r < kTransposeTile; ++r) {
        tiles[t][r] = load_tile_row(w + (t * kTransposeTile + r) * w_stride + k);
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
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) sums[r] = fma(F32x16(a[r * a_stride + k + i]), column, sums[r]);
    }
  }
  for (int64_t k = whole; k < depth; ++k) {
    alignas(64) float column[16] = {};
    for (int64_t j = 0; j < width; ++j) column[j] = load_one(w + j * w_stride + k);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) sums[r] = fma(F32x16(a[r * a_stride + k]), load(column), sums[r]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) store(c + r * c_stride, sums[r], width);
}

}  // namespace headroom::HEADROOM_ISA
