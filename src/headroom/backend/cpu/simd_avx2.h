// The sixteen lanes of simd.h on AVX2 + FMA + F16C: two registers of f32 or i32, four of f64. Include simd.h instead.
// Contracts stand in simd_avx512.h; the two files offer the same functions.
#pragma once

namespace headroom::HEADROOM_ISA {

struct I32x16 {
  I32x16() = default;
  HEADROOM_INLINE I32x16(int32_t all) : v{_mm256_set1_epi32(all), _mm256_set1_epi32(all)} {}
  HEADROOM_INLINE I32x16(__m256i low, __m256i high) : v{low, high} {}
  __m256i v[2];
};

struct F32x16 {
  using Int = I32x16;
  F32x16() = default;
  HEADROOM_INLINE F32x16(float all) : v{_mm256_set1_ps(all), _mm256_set1_ps(all)} {}
  HEADROOM_INLINE F32x16(__m256 low, __m256 high) : v{low, high} {}
  __m256 v[2];
};

struct F64x16 {
  F64x16() = default;
  HEADROOM_INLINE F64x16(double all) {
    for (__m256d& part : v) part = _mm256_set1_pd(all);
  }
  __m256d v[4];
};

struct Mask16 {
  __m256 v[2];  // all bits of a lane set or none
};

HEADROOM_INLINE Mask16 first(int64_t n) {
  const __m256i count = _mm256_set1_epi32(static_cast<int32_t>(n));
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(count, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))),
          _mm256_castsi256_ps(_mm256_cmpgt_epi32(count, _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15)))};
}

HEADROOM_INLINE F32x16 load(const float* from) { return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)}; }
HEADROOM_INLINE F32x16 load(const float* from, int64_t n) {
  const Mask16 mask = first(n);
  return {_mm256_maskload_ps(from, _mm256_castps_si256(mask.v[0])),
          _mm256_maskload_ps(from + 8, _mm256_castps_si256(mask.v[1]))};
}
HEADROOM_INLINE __m256 bf16_to_f32(__m128i halves) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
HEADROOM_INLINE F32x16 load(const Bf16* from) {
  const __m128i* halves = reinterpret_cast<const __m128i*>(from);
  return {bf16_to_f32(_mm_loadu_si128(halves)), bf16_to_f32(_mm_loadu_si128(halves + 1))};
}
HEADROOM_INLINE F32x16 load(const F16* from) {
  const __m128i* halves = reinterpret_cast<const __m128i*>(from);
  return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
}
HEADROOM_INLINE void store(float* to, F32x16 a) {
  _mm256_storeu_ps(to, a.v[0]);
  _mm256_storeu_ps(to + 8, a.v[1]);
}
HEADROOM_INLINE void store(float* to, F32x16 a, int64_t n) {
  const Mask16 mask = first(n);
  _mm256_maskstore_ps(to, _mm256_castps_si256(mask.v[0]), a.v[0]);
  _mm256_maskstore_ps(to + 8, _mm256_castps_si256(mask.v[1]), a.v[1]);
}
HEADROOM_INLINE __m256i round_to_bf16(__m256 a) {
  const __m256i bits = _mm256_castps_si256(a);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256 is_nan = _mm256_cmp_ps(a, a, _CMP_UNORD_Q);
  const __m256 chosen = _mm256_blendv_ps(_mm256_castsi256_ps(rounded), _mm256_castsi256_ps(quiet), is_nan);
  return _mm256_srli_epi32(_mm256_castps_si256(chosen), 16);
}
HEADROOM_INLINE __m256i rounded_bits(F32x16 a, Bf16) {
  const __m256i interleaved = _mm256_packus_epi32(round_to_bf16(a.v[0]), round_to_bf16(a.v[1]));
  return _mm256_permute4x64_epi64(interleaved, 0xd8);
}
HEADROOM_INLINE __m256i rounded_bits(F32x16 a, F16) {
  return _mm256_set_m128i(_mm256_cvtps_ph(a.v[1], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
                          _mm256_cvtps_ph(a.v[0], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
template <class Element>
HEADROOM_INLINE void store_bits(Element* to, __m256i halves, int64_t n) {
  alignas(32) Element all[16];
  _mm256_store_si256(reinterpret_cast<__m256i*>(all), halves);
  for (int64_t i = 0; i < n && i < 16; ++i) to[i] = all[i];
}
HEADROOM_INLINE void stream(float* to, F32x16 a) {
  _mm256_stream_ps(to, a.v[0]);
  _mm256_stream_ps(to + 8, a.v[1]);
}

// The function `name` of simd.h, register by register.
#define HEADROOM_LANEWISE_(type, name, intrinsic) \
  HEADROOM_INLINE type name(type a, type b) { return {intrinsic(a.v[0], b.v[0]), intrinsic(a.v[1], b.v[1])}; }
HEADROOM_LANEWISE_(F32x16, operator+, _mm256_add_ps)
HEADROOM_LANEWISE_(F32x16, operator-, _mm256_sub_ps)
HEADROOM_LANEWISE_(F32x16, operator*, _mm256_mul_ps)
HEADROOM_LANEWISE_(F32x16, operator/, _mm256_div_ps)
HEADROOM_LANEWISE_(F32x16, max_or_second, _mm256_max_ps)
HEADROOM_LANEWISE_(F32x16, min_or_second, _mm256_min_ps)
HEADROOM_LANEWISE_(I32x16, operator+, _mm256_add_epi32)
HEADROOM_LANEWISE_(I32x16, operator-, _mm256_sub_epi32)
HEADROOM_LANEWISE_(I32x16, operator&, _mm256_and_si256)
HEADROOM_LANEWISE_(I32x16, operator^, _mm256_xor_si256)
HEADROOM_LANEWISE_(I32x16, operator|, _mm256_or_si256)
HEADROOM_LANEWISE_(I32x16, max, _mm256_max_epi32)
HEADROOM_LANEWISE_(I32x16, multiply_low, _mm256_mullo_epi32)
#undef HEADROOM_LANEWISE_

HEADROOM_INLINE I32x16 masked_or(I32x16 a, I32x16 mask, I32x16 b) { return (a & mask) | b; }

HEADROOM_INLINE F32x16 sqrt(F32x16 a) { return {_mm256_sqrt_ps(a.v[0]), _mm256_sqrt_ps(a.v[1])}; }
HEADROOM_INLINE F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmadd_ps(a.v[0], b.v[0], c.v[0]), _mm256_fmadd_ps(a.v[1], b.v[1], c.v[1])};
}

template <int kPredicate>
HEADROOM_INLINE Mask16 compare(F32x16 a, F32x16 b) {
  return {_mm256_cmp_ps(a.v[0], b.v[0], kPredicate), _mm256_cmp_ps(a.v[1], b.v[1], kPredicate)};
}
HEADROOM_INLINE Mask16 operator<(F32x16 a, F32x16 b) { return compare<_CMP_LT_OQ>(a, b); }
HEADROOM_INLINE Mask16 operator<=(F32x16 a, F32x16 b) { return compare<_CMP_LE_OQ>(a, b); }
HEADROOM_INLINE Mask16 operator==(F32x16 a, F32x16 b) { return compare<_CMP_EQ_OQ>(a, b); }
HEADROOM_INLINE Mask16 is_nan(F32x16 a) { return compare<_CMP_UNORD_Q>(a, a); }
HEADROOM_INLINE F32x16 select(Mask16 mask, F32x16 a, F32x16 b) {
  return {_mm256_blendv_ps(b.v[0], a.v[0], mask.v[0]), _mm256_blendv_ps(b.v[1], a.v[1], mask.v[1])};
}

template <int kBits>
HEADROOM_INLINE I32x16 shift_left(I32x16 a) {
  return {_mm256_slli_epi32(a.v[0], kBits), _mm256_slli_epi32(a.v[1], kBits)};
}
template <int kBits>
HEADROOM_INLINE I32x16 shift_right(I32x16 a) {
  return {_mm256_srai_epi32(a.v[0], kBits), _mm256_srai_epi32(a.v[1], kBits)};
}
template <int kBits>
HEADROOM_INLINE I32x16 shift_right_logical(I32x16 a) {
  return {_mm256_srli_epi32(a.v[0], kBits), _mm256_srli_epi32(a.v[1], kBits)};
}
HEADROOM_INLINE I32x16 shift_right_logical(I32x16 a, int bits) {
  const __m128i count = _mm_cvtsi32_si128(bits);
  return {_mm256_srl_epi32(a.v[0], count), _mm256_srl_epi32(a.v[1], count)};
}
HEADROOM_INLINE I32x16 bits_of(F32x16 a) { return {_mm256_castps_si256(a.v[0]), _mm256_castps_si256(a.v[1])}; }
HEADROOM_INLINE F32x16 from_bits(I32x16 a) { return {_mm256_castsi256_ps(a.v[0]), _mm256_castsi256_ps(a.v[1])}; }
HEADROOM_INLINE F32x16 to_f32(I32x16 a) { return {_mm256_cvtepi32_ps(a.v[0]), _mm256_cvtepi32_ps(a.v[1])}; }
HEADROOM_INLINE I32x16 round_to_even(F32x16 a) { return {_mm256_cvtps_epi32(a.v[0]), _mm256_cvtps_epi32(a.v[1])}; }
HEADROOM_INLINE I32x16 truncate(F32x16 a) { return {_mm256_cvttps_epi32(a.v[0]), _mm256_cvttps_epi32(a.v[1])}; }

HEADROOM_INLINE I32x16 lane_numbers() {
  return {_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15)};
}
struct WideProduct {
  I32x16 low, high;
};
HEADROOM_INLINE WideProduct multiply_wide(I32x16 a, I32x16 b) {
  WideProduct product;
  for (int i = 0; i < 2; ++i) {
    const __m256i even = _mm256_mul_epu32(a.v[i], b.v[i]);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a.v[i], 32), _mm256_srli_epi64(b.v[i], 32));
    product.low.v[i] = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
    product.high.v[i] = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  }
  return product;
}
HEADROOM_INLINE I32x16 load_integers(const int32_t* from) {
  const __m256i* integers = reinterpret_cast<const __m256i*>(from);
  return {_mm256_loadu_si256(integers), _mm256_loadu_si256(integers + 1)};
}
HEADROOM_INLINE void store_integers(int32_t* to, I32x16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), a.v[0]);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to) + 1, a.v[1]);
}
HEADROOM_INLINE I32x16 load_bytes(const uint8_t* from) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return {_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8))};
}
HEADROOM_INLINE void store_bytes(uint8_t* to, I32x16 a) {
  const __m256i halves = _mm256_permute4x64_epi64(_mm256_packus_epi32(a.v[0], a.v[1]), 0xd8);
  const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
}
HEADROOM_INLINE void store_halves(Bf16* to, I32x16 a) {
  const __m256i halves = _mm256_permute4x64_epi64(_mm256_packus_epi32(a.v[0], a.v[1]), 0xd8);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), halves);
}

HEADROOM_INLINE float sum_of_four(__m128 four) {
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
HEADROOM_INLINE float sum(F32x16 a) {
  const __m256 eight = _mm256_add_ps(a.v[0], a.v[1]);
  return sum_of_four(_mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1)));
}
HEADROOM_INLINE float max_of(F32x16 a) {
  const Mask16 unordered = is_nan(a);
  if (_mm256_movemask_ps(_mm256_or_ps(unordered.v[0], unordered.v[1])) != 0) return __builtin_nanf("");
  const __m256 eight = _mm256_max_ps(a.v[0], a.v[1]);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

HEADROOM_INLINE F64x16 to_f64(F32x16 a) {
  F64x16 wide;
  for (int i = 0; i < 2; ++i) {
    wide.v[2 * i] = _mm256_cvtps_pd(_mm256_castps256_ps128(a.v[i]));
    wide.v[2 * i + 1] = _mm256_cvtps_pd(_mm256_extractf128_ps(a.v[i], 1));
  }
  return wide;
}
HEADROOM_INLINE F64x16 operator+(F64x16 a, F64x16 b) {
  for (int i = 0; i < 4; ++i) a.v[i] = _mm256_add_pd(a.v[i], b.v[i]);
  return a;
}
HEADROOM_INLINE F64x16 fma(F64x16 a, F64x16 b, F64x16 c) {
  for (int i = 0; i < 4; ++i) c.v[i] = _mm256_fmadd_pd(a.v[i], b.v[i], c.v[i]);
  return c;
}
HEADROOM_INLINE double sum(F64x16 a) {
  const __m256d low = _mm256_add_pd(a.v[0], a.v[2]);
  const __m256d high = _mm256_add_pd(a.v[1], a.v[3]);
  const __m256d four = _mm256_add_pd(low, high);
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

}  // namespace headroom::HEADROOM_ISA
