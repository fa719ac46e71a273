// Products of whole numbers in the lanes of 32 bits: codes of a weight, and of rows rounded to 8 bits.
#pragma once

#include "headroom/backend/cpu/grouped_panels.h"

namespace headroom::HEADROOM_ISA {

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
inline constexpr bool kHasByteProducts = true;
#else
inline constexpr bool kHasByteProducts = false;
#endif

// In each lane: sum + the two products of a's halves and b's, signed.
HEADROOM_INLINE I32x16 add_half_products(I32x16 sum, I32x16 a, I32x16 b) {
#if defined(__AVX512VNNI__)
  return I32x16(_mm512_dpwssd_epi32(sum.v, a.v, b.v));
#elif defined(__AVX512F__)
  return I32x16(_mm512_add_epi32(sum.v, _mm512_madd_epi16(a.v, b.v)));
#else
  return sum + I32x16(_mm256_madd_epi16(a.v[0], b.v[0]), _mm256_madd_epi16(a.v[1], b.v[1]));
#endif
}

// What is taken from a code before it is multiplied: without an instruction for bytes, products of two codes of 8 bits
// would leave 16 bits, which 128 times 127 do not.
template <int kBits>
inline constexpr int32_t kCodeOffset = kHasByteProducts || kBits < 8 ? 0 : 128;

// In each lane: sum + the four products of the codes in a's bytes, of kBits and less kCodeOffset, and b's, signed.
template <int kBits>
HEADROOM_INLINE I32x16 add_byte_products(I32x16 sum, I32x16 a, I32x16 b) {
#if defined(__AVX512VNNI__)
  return I32x16(_mm512_dpbusd_epi32(sum.v, a.v, b.v));
#elif defined(__AVXVNNI__)
  return {_mm256_dpbusd_avx_epi32(sum.v[0], a.v[0], b.v[0]), _mm256_dpbusd_avx_epi32(sum.v[1], a.v[1], b.v[1])};
#elif defined(__AVX512F__)
  if constexpr (kBits == 8) {
    a = a ^ I32x16(static_cast<int32_t>(0x80808080));
    b.v = _mm512_mask_sub_epi8(b.v, _mm512_movepi8_mask(a.v), _mm512_setzero_si512(), b.v);
    a.v = _mm512_abs_epi8(a.v);
  }
  return add_half_products(sum, I32x16(_mm512_maddubs_epi16(a.v, b.v)), I32x16(0x00010001));
#else
  if constexpr (kBits == 8) {
    a = a ^ I32x16(static_cast<int32_t>(0x80808080));
    b = {_mm256_sign_epi8(b.v[0], a.v[0]), _mm256_sign_epi8(b.v[1], a.v[1])};
    a = {_mm256_abs_epi8(a.v[0]), _mm256_abs_epi8(a.v[1])};
  }
  const I32x16 pairs(_mm256_maddubs_epi16(a.v[0], b.v[0]), _mm256_maddubs_epi16(a.v[1], b.v[1]));
  return add_half_products(sum, pairs, I32x16(0x00010001));
#endif
}

// sum less the zeros of a panel times the sum of a row's codes, which is there negated and below 2^15.
template <int kBits>
HEADROOM_INLINE I32x16 subtract_zeros(I32x16 sum, I32x16 zero, int32_t negated_sum) {
  if constexpr (kCodeOffset<kBits> != 0) zero = (zero - I32x16(kCodeOffset<kBits>)) & I32x16(0xffff);
  return add_half_products(sum, zero, I32x16(negated_sum));
}

// Four bytes in every lane.
HEADROOM_INLINE I32x16 broadcast_four(const int8_t* bytes) {
  int32_t four;
  __builtin_memcpy(&four, bytes, sizeof four);
  return I32x16(four);
}

}  // namespace headroom::HEADROOM_ISA
