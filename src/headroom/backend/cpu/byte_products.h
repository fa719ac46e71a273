// Products of bytes, four to a lane.
#pragma once

#include "headroom/backend/cpu/simd.h"

namespace headroom::HEADROOM_ISA {

// In each lane: sum + the four products of a's bytes, unsigned and of kBits, and b's, signed. Exact: no sum of two
// products leaves 16 bits where codes have 4 bits at most, and bytes are widened first where they have 8.
template <int kBits>
HEADROOM_INLINE I32x16 add_byte_products(I32x16 sum, I32x16 a, I32x16 b) {
#if defined(__AVX512VNNI__)
  return I32x16(_mm512_dpbusd_epi32(sum.v, a.v, b.v));
#elif defined(__AVXVNNI__)
  return {_mm256_dpbusd_avx_epi32(sum.v[0], a.v[0], b.v[0]), _mm256_dpbusd_avx_epi32(sum.v[1], a.v[1], b.v[1])};
#elif defined(__AVX512F__)
  if constexpr (kBits <= 4) {
    return I32x16(_mm512_add_epi32(sum.v, _mm512_madd_epi16(_mm512_maddubs_epi16(a.v, b.v), _mm512_set1_epi16(1))));
  } else {
    const __m512i even = _mm512_madd_epi16(_mm512_and_si512(a.v, _mm512_set1_epi16(255)),
                                           _mm512_srai_epi16(_mm512_slli_epi16(b.v, 8), 8));
    const __m512i odd = _mm512_madd_epi16(_mm512_srli_epi16(a.v, 8), _mm512_srai_epi16(b.v, 8));
    return I32x16(_mm512_add_epi32(sum.v, _mm512_add_epi32(even, odd)));
  }
#else
  for (int i = 0; i < 2; ++i) {
    if constexpr (kBits <= 4) {
      const __m256i pairs = _mm256_maddubs_epi16(a.v[i], b.v[i]);
      sum.v[i] = _mm256_add_epi32(sum.v[i], _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    } else {
      const __m256i even = _mm256_madd_epi16(_mm256_and_si256(a.v[i], _mm256_set1_epi16(255)),
                                             _mm256_srai_epi16(_mm256_slli_epi16(b.v[i], 8), 8));
      const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(a.v[i], 8), _mm256_srai_epi16(b.v[i], 8));
      sum.v[i] = _mm256_add_epi32(sum.v[i], _mm256_add_epi32(even, odd));
    }
  }
  return sum;
#endif
}

}  // namespace headroom::HEADROOM_ISA
