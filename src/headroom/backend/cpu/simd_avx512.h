// The sixteen lanes of simd.h on AVX-512: one register of f32 or i32, two of f64. Include simd.h instead.
#pragma once

namespace headroom::HEADROOM_ISA {

struct I32x16 {
  I32x16() = default;
  HEADROOM_INLINE I32x16(int32_t all) : v(_mm512_set1_epi32(all)) {}
  HEADROOM_INLINE explicit I32x16(__m512i lanes) : v(lanes) {}
  __m512i v;
};

struct F32x16 {
  using Int = I32x16;
  F32x16() = default;
  HEADROOM_INLINE F32x16(float all) : v(_mm512_set1_ps(all)) {}
  HEADROOM_INLINE explicit F32x16(__m512 lanes) : v(lanes) {}
  __m512 v;
};

struct F64x16 {
  F64x16() = default;
  HEADROOM_INLINE F64x16(double all) : v{_mm512_set1_pd(all), _mm512_set1_pd(all)} {}
  __m512d v[2];
};

struct Mask16 {
  __mmask16 v;
};

// The first n lanes (0 <= n <= 16).
HEADROOM_INLINE Mask16 first(int64_t n) { return {static_cast<__mmask16>((1u << n) - 1u)}; }

// Loads and stores, unaligned. With n (<= 16) only the first n elements are touched and the other lanes read +0.
HEADROOM_INLINE F32x16 load(const float* from) { return F32x16(_mm512_loadu_ps(from)); }
HEADROOM_INLINE F32x16 load(const float* from, int64_t n) { return F32x16(_mm512_maskz_loadu_ps(first(n).v, from)); }
HEADROOM_INLINE F32x16 load(const Bf16* from) {
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return F32x16(_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16)));
}
HEADROOM_INLINE F32x16 load(const F16* from) {
  return F32x16(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
}
HEADROOM_INLINE void store(float* to, F32x16 a) { _mm512_storeu_ps(to, a.v); }
HEADROOM_INLINE void store(float* to, F32x16 a, int64_t n) { _mm512_mask_storeu_ps(to, first(n).v, a.v); }

// Sixteen numbers rounded to nearest even, in the bits of the format.
HEADROOM_INLINE __m256i rounded_bits(F32x16 a, Bf16) {
  const __m512i bits = _mm512_castps_si512(a.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 is_nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_mask_mov_epi32(rounded, is_nan, quiet), 16));
}
HEADROOM_INLINE __m256i rounded_bits(F32x16 a, F16) {
  return _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

template <class Element>
HEADROOM_INLINE void store_bits(Element* to, __m256i halves, int64_t n) {
  _mm256_mask_storeu_epi16(to, first(n).v, halves);
}

// Past the caches; `to` is aligned to 64 bytes.
HEADROOM_INLINE void stream(float* to, F32x16 a) { _mm512_stream_ps(to, a.v); }

HEADROOM_INLINE F32x16 operator+(F32x16 a, F32x16 b) { return F32x16(_mm512_add_ps(a.v, b.v)); }
HEADROOM_INLINE F32x16 operator-(F32x16 a, F32x16 b) { return F32x16(_mm512_sub_ps(a.v, b.v)); }
HEADROOM_INLINE F32x16 operator*(F32x16 a, F32x16 b) { return F32x16(_mm512_mul_ps(a.v, b.v)); }
HEADROOM_INLINE F32x16 operator/(F32x16 a, F32x16 b) { return F32x16(_mm512_div_ps(a.v, b.v)); }
HEADROOM_INLINE F32x16 sqrt(F32x16 a) { return F32x16(_mm512_sqrt_ps(a.v)); }
// a * b + c, rounded once.
HEADROOM_INLINE F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return F32x16(_mm512_fmadd_ps(a.v, b.v, c.v)); }
// The larger and the smaller; b when either is NaN or both are zeros.
HEADROOM_INLINE F32x16 max_or_second(F32x16 a, F32x16 b) { return F32x16(_mm512_max_ps(a.v, b.v)); }
HEADROOM_INLINE F32x16 min_or_second(F32x16 a, F32x16 b) { return F32x16(_mm512_min_ps(a.v, b.v)); }

// Comparisons are false where either side is NaN.
HEADROOM_INLINE Mask16 operator<(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
HEADROOM_INLINE Mask16 operator<=(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
HEADROOM_INLINE Mask16 operator==(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
HEADROOM_INLINE Mask16 is_nan(F32x16 a) { return {_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q)}; }
// a where the mask is set, b elsewhere.
HEADROOM_INLINE F32x16 select(Mask16 mask, F32x16 a, F32x16 b) {
  return F32x16(_mm512_mask_blend_ps(mask.v, b.v, a.v));
}

HEADROOM_INLINE I32x16 operator+(I32x16 a, I32x16 b) { return I32x16(_mm512_add_epi32(a.v, b.v)); }
HEADROOM_INLINE I32x16 operator-(I32x16 a, I32x16 b) { return I32x16(_mm512_sub_epi32(a.v, b.v)); }
HEADROOM_INLINE I32x16 operator&(I32x16 a, I32x16 b) { return I32x16(_mm512_and_si512(a.v, b.v)); }
HEADROOM_INLINE I32x16 operator^(I32x16 a, I32x16 b) { return I32x16(_mm512_xor_si512(a.v, b.v)); }
HEADROOM_INLINE I32x16 operator|(I32x16 a, I32x16 b) { return I32x16(_mm512_or_si512(a.v, b.v)); }
// (a & mask) | b.
HEADROOM_INLINE I32x16 masked_or(I32x16 a, I32x16 mask, I32x16 b) {
  return I32x16(_mm512_ternarylogic_epi32(a.v, mask.v, b.v, 0xea));
}
HEADROOM_INLINE I32x16 multiply_low(I32x16 a, I32x16 b) { return I32x16(_mm512_mullo_epi32(a.v, b.v)); }
HEADROOM_INLINE I32x16 load_integers(const int32_t* from) { return I32x16(_mm512_loadu_si512(from)); }
HEADROOM_INLINE void store_integers(int32_t* to, I32x16 a) { _mm512_storeu_si512(to, a.v); }
// The larger, of signed lanes.
HEADROOM_INLINE I32x16 max(I32x16 a, I32x16 b) { return I32x16(_mm512_max_epi32(a.v, b.v)); }
template <int kBits>
HEADROOM_INLINE I32x16 shift_left(I32x16 a) {
  return I32x16(_mm512_slli_epi32(a.v, kBits));
}
template <int kBits>  // keeps the sign
HEADROOM_INLINE I32x16 shift_right(I32x16 a) {
  return I32x16(_mm512_srai_epi32(a.v, kBits));
}
template <int kBits>  // brings in zeros
HEADROOM_INLINE I32x16 shift_right_logical(I32x16 a) {
  return I32x16(_mm512_srli_epi32(a.v, kBits));
}
HEADROOM_INLINE I32x16 shift_right_logical(I32x16 a, int bits) {
  return I32x16(_mm512_srl_epi32(a.v, _mm_cvtsi32_si128(bits)));
}
HEADROOM_INLINE I32x16 bits_of(F32x16 a) { return I32x16(_mm512_castps_si512(a.v)); }
HEADROOM_INLINE F32x16 from_bits(I32x16 a) { return F32x16(_mm512_castsi512_ps(a.v)); }
HEADROOM_INLINE F32x16 to_f32(I32x16 a) { return F32x16(_mm512_cvtepi32_ps(a.v)); }
HEADROOM_INLINE I32x16 round_to_even(F32x16 a) { return I32x16(_mm512_cvtps_epi32(a.v)); }
// Towards zero; INT32_MIN where a is NaN or beyond the integers.
HEADROOM_INLINE I32x16 truncate(F32x16 a) { return I32x16(_mm512_cvttps_epi32(a.v)); }

// 0 to 15.
HEADROOM_INLINE I32x16 lane_numbers() {
  return I32x16(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}
// The two halves of the products of unsigned lanes.
struct WideProduct {
  I32x16 low, high;
};
HEADROOM_INLINE WideProduct multiply_wide(I32x16 a, I32x16 b) {
  const __m512i even = _mm512_mul_epu32(a.v, b.v);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a.v, 32), _mm512_srli_epi64(b.v, 32));
  return {I32x16(_mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32))),
          I32x16(_mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd))};
}
// Bytes, unsigned; lanes that are stored are below 256.
HEADROOM_INLINE I32x16 load_bytes(const uint8_t* from) {
  return I32x16(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}
HEADROOM_INLINE void store_bytes(uint8_t* to, I32x16 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(a.v));
}
// The low half of each lane; the high halves are 0.
HEADROOM_INLINE void store_halves(Bf16* to, I32x16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(a.v));
}

// For elementary.h: a * 2^n, rounded once.
HEADROOM_INLINE F32x16 scale_by_power(F32x16 a, F32x16 n, I32x16) { return F32x16(_mm512_scalef_ps(a.v, n.v)); }

HEADROOM_INLINE float sum_of_four(__m128 four) {
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
// The sum of the lanes, as a tree.
HEADROOM_INLINE float sum(F32x16 a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  return sum_of_four(_mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1)));
}
// The largest lane, NaN when one is.
HEADROOM_INLINE float max_of(F32x16 a) {
  if (_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q) != 0) return __builtin_nanf("");
  return _mm512_reduce_max_ps(a.v);
}

HEADROOM_INLINE F64x16 to_f64(F32x16 a) {
  F64x16 wide;
  wide.v[0] = _mm512_cvtps_pd(_mm512_castps512_ps256(a.v));
  wide.v[1] = _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1));
  return wide;
}
HEADROOM_INLINE F64x16 operator+(F64x16 a, F64x16 b) {
  for (int i = 0; i < 2; ++i) a.v[i] = _mm512_add_pd(a.v[i], b.v[i]);
  return a;
}
HEADROOM_INLINE F64x16 fma(F64x16 a, F64x16 b, F64x16 c) {
  for (int i = 0; i < 2; ++i) c.v[i] = _mm512_fmadd_pd(a.v[i], b.v[i], c.v[i]);
  return c;
}
HEADROOM_INLINE double sum(F64x16 a) {
  const __m512d eight = _mm512_add_pd(a.v[0], a.v[1]);
  const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

}  // namespace headroom::HEADROOM_ISA
