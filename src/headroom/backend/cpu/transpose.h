// Transposes of small tiles in registers: 16 x 16 with AVX-512, 8 x 8 with AVX2. A row of a tile is one register of
// floats, or of pairs of neighbouring bf16 or f16, which take half the shuffles and are made floats afterwards.
#pragma once

#include <type_traits>

#include "headroom/backend/cpu/simd.h"

namespace headroom::HEADROOM_ISA {

#if defined(__AVX512F__)

inline constexpr int kTransposeTile = 16;
using TileRow = __m512;

template <class Element>
HEADROOM_INLINE TileRow load_tile_row(const Element* from) {
  return load(from).v;
}
template <class Element>
HEADROOM_INLINE TileRow load_tile_row(const Element* from, int64_t n) {
  return load(from, n).v;
}
HEADROOM_INLINE void store_tile_row(float* to, TileRow row) { _mm512_storeu_ps(to, row); }
HEADROOM_INLINE TileRow broadcast_row(float all) { return _mm512_set1_ps(all); }
HEADROOM_INLINE TileRow fma_rows(TileRow a, TileRow b, TileRow c) { return _mm512_fmadd_ps(a, b, c); }

// Neighbouring elements of 16 bits as pairs: twice kTransposeTile of them.
template <class Element>
HEADROOM_INLINE TileRow load_pairs(const Element* from) {
  return _mm512_loadu_ps(from);
}
HEADROOM_INLINE TileRow first_of_pairs(TileRow pairs, Bf16) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(pairs), 16));
}
HEADROOM_INLINE TileRow second_of_pairs(TileRow pairs, Bf16) {
  return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(pairs), _mm512_set1_epi32(-65536)));
}
HEADROOM_INLINE TileRow first_of_pairs(TileRow pairs, F16) {
  return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_castps_si512(pairs)));
}
HEADROOM_INLINE TileRow second_of_pairs(TileRow pairs, F16) {
  return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(pairs), 16)));
}
template <class Element>
inline constexpr bool kTransposesPairs = sizeof(Element) == 2;

HEADROOM_INLINE void transpose_registers(TileRow (&rows)[16]) {
  TileRow pairs[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
  // fours[4 g + j]: rows 4 g .. 4 g + 3 of the columns j, 4 + j, 8 + j, 12 + j.
  TileRow fours[16];
#pragma GCC unroll 4
  for (int g = 0; g < 16; g += 4) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const __m512d low = _mm512_castps_pd(pairs[g + half]);
      const __m512d high = _mm512_castps_pd(pairs[g + 2 + half]);
      fours[g + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      fours[g + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const TileRow low_even = _mm512_shuffle_f32x4(fours[j], fours[4 + j], 0x88);
    const TileRow low_odd = _mm512_shuffle_f32x4(fours[j], fours[4 + j], 0xdd);
    const TileRow high_even = _mm512_shuffle_f32x4(fours[8 + j], fours[12 + j], 0x88);
    const TileRow high_odd = _mm512_shuffle_f32x4(fours[8 + j], fours[12 + j], 0xdd);
    rows[j] = _mm512_shuffle_f32x4(low_even, high_even, 0x88);
    rows[8 + j] = _mm512_shuffle_f32x4(low_even, high_even, 0xdd);
    rows[4 + j] = _mm512_shuffle_f32x4(low_odd, high_odd, 0x88);
    rows[12 + j] = _mm512_shuffle_f32x4(low_odd, high_odd, 0xdd);
  }
}

#else

inline constexpr int kTransposeTile = 8;
using TileRow = __m256;

HEADROOM_INLINE TileRow load_tile_row(const float* from) { return _mm256_loadu_ps(from); }
HEADROOM_INLINE TileRow load_tile_row(const Bf16* from) {
  return bf16_to_f32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
HEADROOM_INLINE TileRow load_tile_row(const F16* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
HEADROOM_INLINE TileRow load_tile_row(const Rounded<F16>* from) {
  return _mm256_cvtph_ps(_mm256_cvtps_ph(_mm256_loadu_ps(&from->value), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
HEADROOM_INLINE TileRow load_tile_row(const Rounded<Bf16>* from) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(round_to_bf16(_mm256_loadu_ps(&from->value)), 16));
}
template <class Element>
HEADROOM_INLINE TileRow load_tile_row(const Element* from, int64_t n) {
  return load(from, n).v[0];
}
HEADROOM_INLINE void store_tile_row(float* to, TileRow row) { _mm256_storeu_ps(to, row); }
HEADROOM_INLINE TileRow broadcast_row(float all) { return _mm256_set1_ps(all); }
HEADROOM_INLINE TileRow fma_rows(TileRow a, TileRow b, TileRow c) { return _mm256_fmadd_ps(a, b, c); }

template <class Element>
HEADROOM_INLINE TileRow load_pairs(const Element* from) {
  return _mm256_loadu_ps(reinterpret_cast<const float*>(from));
}
HEADROOM_INLINE TileRow first_of_pairs(TileRow pairs, Bf16) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(pairs), 16));
}
HEADROOM_INLINE TileRow second_of_pairs(TileRow pairs, Bf16) {
  return _mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(pairs), _mm256_set1_epi32(-65536)));
}
// Taking f16 out of pairs costs AVX2 as many shuffles as it saves.
template <class Element>
inline constexpr bool kTransposesPairs = std::is_same_v<Element, Bf16>;

HEADROOM_INLINE void transpose_registers(TileRow (&rows)[8]) {
  TileRow pairs[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
  TileRow fours[8];
#pragma GCC unroll 2
  for (int g = 0; g < 8; g += 4) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      fours[g + 2 * half] = _mm256_shuffle_ps(pairs[g + half], pairs[g + 2 + half], 0x44);
      fours[g + 2 * half + 1] = _mm256_shuffle_ps(pairs[g + half], pairs[g + 2 + half], 0xee);
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    rows[j] = _mm256_permute2f128_ps(fours[j], fours[4 + j], 0x20);
    rows[4 + j] = _mm256_permute2f128_ps(fours[j], fours[4 + j], 0x31);
  }
}

#endif

// Calls body(k, column k as f32) for the columns of a tile of kTransposeTile rows, 64 bytes of each.
template <class Element, class Body>
HEADROOM_INLINE void for_each_column(const Element* from, int64_t stride, Body&& body) {
  constexpr int kColumns = 64 / sizeof(Element);
  TileRow tile[kTransposeTile];
  if constexpr (kTransposesPairs<Element>) {
    constexpr int kStep = 2 * kTransposeTile;
#pragma GCC unroll 2
    for (int k = 0; k < kColumns; k += kStep) {
#pragma GCC unroll 16
      for (int r = 0; r < kTransposeTile; ++r) tile[r] = load_pairs(from + r * stride + k);
      transpose_registers(tile);
#pragma GCC unroll 16
      for (int i = 0; i < kTransposeTile; ++i) {
        body(k + 2 * i, first_of_pairs(tile[i], Element{}));
        body(k + 2 * i + 1, second_of_pairs(tile[i], Element{}));
      }
    }
  } else {
#pragma GCC unroll 4
    for (int k = 0; k < kColumns; k += kTransposeTile) {
#pragma GCC unroll 16
      for (int r = 0; r < kTransposeTile; ++r) tile[r] = load_tile_row(from + r * stride + k);
      transpose_registers(tile);
#pragma GCC unroll 16
      for (int i = 0; i < kTransposeTile; ++i) body(k + i, tile[i]);
    }
  }
}

// to[c * to_stride + r] = from[r * from_stride + c] as f32, for r < rows and c < columns, both at most kTransposeTile.
// Whole vectors of kTransposeTile lanes are stored for each c, those beyond `rows` +0; nothing is read beyond the tile.
template <class Element>
HEADROOM_INLINE void transpose_tile(const Element* from, int64_t from_stride, int64_t rows, int64_t columns, float* to,
                                    int64_t to_stride) {
  TileRow tile[kTransposeTile];
  if (rows == kTransposeTile && columns == kTransposeTile) {
#pragma GCC unroll 16
    for (int r = 0; r < kTransposeTile; ++r) tile[r] = load_tile_row(from + r * from_stride);
    transpose_registers(tile);
#pragma GCC unroll 16
    for (int c = 0; c < kTransposeTile; ++c) store_tile_row(to + c * to_stride, tile[c]);
    return;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kTransposeTile; ++r) {
    const bool inside = r < rows;
    tile[r] = load_tile_row(inside ? from + r * from_stride : from, inside ? columns : 0);
  }
  transpose_registers(tile);
#pragma GCC unroll 16
  for (int c = 0; c < kTransposeTile; ++c) {
    if (c < columns) store_tile_row(to + c * to_stride, tile[c]);
  }
}

}  // namespace headroom::HEADROOM_ISA
