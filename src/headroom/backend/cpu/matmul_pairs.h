// Packing a factor of bf16 for dot products: pairs of neighbours along k, one in each 32-bit place, in the panels of
// matmul_pack.h; a factor in f32 is rounded on the way. What an odd depth lacks is +0. For AVX-512 alone.
#pragma once

#include <algorithm>

#include "headroom/backend/cpu/matmul_pack.h"

namespace headroom::HEADROOM_ISA {

HEADROOM_INLINE __m256i bf16_bits(const Bf16* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
HEADROOM_INLINE __m256i bf16_bits(const Rounded<Bf16>* from) { return rounded_bits(load(&from->value), Bf16()); }

HEADROOM_INLINE TileRow load_pairs(const Rounded<Bf16>* from) {
  const __m512i first = _mm512_castsi256_si512(bf16_bits(from));
  return _mm512_castsi512_ps(_mm512_inserti64x4(first, bf16_bits(from + 16), 1));
}
// Of two rows, the pairs of elements that stand one above the other.
template <class Element>
HEADROOM_INLINE TileRow zip_rows(const Element* first, const Element* second) {
  const __m512i upper = _mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16_bits(second)), 16);
  return _mm512_castsi512_ps(_mm512_or_si512(_mm512_cvtepu16_epi32(bf16_bits(first)), upper));
}

// The first n elements as pairs, the rest +0.
template <class Element>
HEADROOM_INLINE TileRow load_first_pairs(const Element* from, int64_t n) {
  alignas(64) Element padded[2 * kTransposeTile] = {};
  std::copy_n(from, n, padded);
  return load_pairs(static_cast<const Element*>(padded));
}

// The first n elements of two rows, zipped; the second row may be null: +0.
template <class Element>
HEADROOM_INLINE TileRow zip_first(const Element* first, const Element* second, int64_t n) {
  alignas(64) Element padded[2][kTransposeTile] = {};
  std::copy_n(first, n, padded[0]);
  if (second != nullptr) std::copy_n(second, n, padded[1]);
  return zip_rows(static_cast<const Element*>(padded[0]), static_cast<const Element*>(padded[1]));
}

// Source rows are contiguous along k: from[i * stride + k], k < depth. One panel.
template <int kWidth, class Element>
void pack_pairs_across(const Element* from, int64_t stride, int64_t lanes, int64_t depth, float* to) {
  constexpr int64_t kStep = 2 * kTransposeTile;
  for (int64_t k = 0; k < depth; k += kStep) {
    const int64_t left = depth - k;
    const int64_t pairs = std::min<int64_t>(kTransposeTile, (left + 1) / 2);
    float* place = to + k / 2 * kWidth;
#pragma GCC unroll 2
    for (int i = 0; i < kWidth; i += kTransposeTile) {
      TileRow tile[kTransposeTile];
#pragma GCC unroll 16
      for (int r = 0; r < kTransposeTile; ++r) {
        if (i + r >= kWidth) {
          tile[r] = tile[0];
          continue;
        }
        const Element* row = from + (i + r < lanes ? i + r : 0) * stride + k;
        tile[r] = left >= kStep ? load_pairs(row) : load_first_pairs(row, left);
      }
      transpose_registers(tile);
#pragma GCC unroll 16
      for (int c = 0; c < kTransposeTile; ++c) {
        if (c < pairs) store_tile_row(place + c * kWidth + i, tile[c]);
      }
    }
  }
}

// Source rows are contiguous along the lanes: from[k * stride + i], k < depth.
template <int kWidth, class Element>
void pack_pairs_along(const Element* from, int64_t stride, int64_t lanes, int64_t height, int64_t depth, float* to) {
  constexpr int kRegisters = (kWidth + kTransposeTile - 1) / kTransposeTile;
  constexpr int64_t kLine = 64 / sizeof(Element);
  const int64_t panel_elements = panel_stride<kWidth>((depth + 1) / 2);
  const int64_t group = 512 / kWidth * height;
  for (int64_t begin = 0; begin < lanes; begin += group) {
    const int64_t end = std::min(begin + group, lanes);
    for (int64_t k = 0; k < depth; k += 2) {
      const Element* row = from + k * stride;
      const Element* next = k + 1 < depth ? row + stride : nullptr;
      for (int64_t i = begin; i < end; i += kLine) {
        prefetch<1>(row, i + 8 * stride);
        prefetch<1>(row, i + 9 * stride);
      }
      float* panel = to + begin / height * panel_elements + k / 2 * kWidth;
      for (int64_t i = begin; i < end; i += height, panel += panel_elements) {
#pragma GCC unroll 4
        for (int j = 0; j < kRegisters; ++j) {
          const int64_t first = i + j * kTransposeTile;
          const int64_t count = std::clamp<int64_t>(lanes - first, 0, kTransposeTile);
          const int64_t place = count > 0 ? first : 0;
          store_tile_row(panel + j * kTransposeTile,
                         count == kTransposeTile && next != nullptr
                             ? zip_rows(row + place, next + place)
                             : zip_first(row + place, next == nullptr ? next : next + place, count));
        }
      }
    }
  }
}

template <int kWidth, class Element>
void pack_pairs(const Element* from, int64_t stride, bool is_contiguous_along_k, int64_t lanes, int64_t height,
                int64_t depth, float* to) {
  if (!is_contiguous_along_k) return pack_pairs_along<kWidth>(from, stride, lanes, height, depth, to);
  for (int64_t i = 0; i < lanes; i += height, to += panel_stride<kWidth>((depth + 1) / 2)) {
    pack_pairs_across<kWidth>(from + i * stride, stride, std::min(height, lanes - i), depth, to);
  }
}

}  // namespace headroom::HEADROOM_ISA
