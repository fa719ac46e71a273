// Sixteen lanes of f32, i32 or f64: the only width that vector kernels speak. AVX-512 holds the sixteen floats in one
// register, AVX2 in two, so a kernel written once on these types makes the same bits on both, lane for lane.
// For the files of backend/cpu only, which are compiled once for each instruction set (HEADROOM_ISA).
//
// Lane reductions add in the order of docs/arithmetic.md: l += l+8, l += l+4, l += l+2, l += l+1.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "headroom/backend/elementary.h"
#include "headroom/backend/elements.h"

#define HEADROOM_INLINE [[gnu::always_inline]] inline

#if defined(__AVX512F__)
#include "headroom/backend/cpu/simd_avx512.h"
#else
#include "headroom/backend/cpu/simd_avx2.h"
#endif

// What does not depend on the width of the registers.
namespace headroom::HEADROOM_ISA {

inline constexpr int64_t kLanes = 16;
// 32 registers of sixteen lanes instead of 16 of eight.
#if defined(__AVX512F__)
inline constexpr bool kWideRegisters = true;
#else
inline constexpr bool kWideRegisters = false;
#endif

HEADROOM_INLINE F32x16 operator-(F32x16 a) { return from_bits(bits_of(a) ^ I32x16(INT32_MIN)); }
HEADROOM_INLINE F32x16 absolute(F32x16 a) { return from_bits(bits_of(a) & I32x16(INT32_MAX)); }

// The larger and the smaller; NaN when either is. Where both are zeros, b.
HEADROOM_INLINE F32x16 max(F32x16 a, F32x16 b) { return select(is_nan(a), a, max_or_second(a, b)); }
HEADROOM_INLINE F32x16 min(F32x16 a, F32x16 b) { return select(is_nan(a), a, min_or_second(a, b)); }

HEADROOM_INLINE F32x16 exp(F32x16 a) { return elementary_exp(a); }
HEADROOM_INLINE F32x16 log(F32x16 a) { return elementary_log(a); }

// One element as a number, whatever its format.
HEADROOM_INLINE float load_one(const float* from) { return *from; }
HEADROOM_INLINE float load_one(const Bf16* from) {
  return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(from->bits << 16)));
}
HEADROOM_INLINE float load_one(const F16* from) { return _cvtsh_ss(from->bits); }

// Asks for the cache line of from[i]: a hint, for which addresses beyond the array do no harm; they are computed as
// numbers. Into the second level, unless kLevel says the first.
template <int kLevel = 2, class Element>
HEADROOM_INLINE void prefetch(const Element* from, int64_t i) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(from) + static_cast<uintptr_t>(i) * sizeof(Element);
  __builtin_prefetch(reinterpret_cast<const void*>(address), 0, kLevel == 1 ? 3 : 2);
}

// The first n of sixteen 16-bit elements (n <= 16; the rest are +0), without touching memory beyond them.
template <class Element>
HEADROOM_INLINE F32x16 load_first_halves(const Element* from, int64_t n) {
  alignas(32) Element padded[16] = {};
  for (int64_t i = 0; i < n && i < 16; ++i) padded[i] = from[i];
  return load(static_cast<const Element*>(padded));
}
HEADROOM_INLINE F32x16 load(const Bf16* from, int64_t n) { return load_first_halves(from, n); }
HEADROOM_INLINE F32x16 load(const F16* from, int64_t n) { return load_first_halves(from, n); }
HEADROOM_INLINE void store_halves(Bf16* to, I32x16 a, int64_t n) {
  alignas(32) Bf16 padded[16];
  store_halves(padded, a);
  for (int64_t i = 0; i < n && i < 16; ++i) to[i] = padded[i];
}

// Sixteen elements, or the first n of them, rounded to nearest even.
HEADROOM_INLINE void store(Bf16* to, F32x16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), rounded_bits(a, Bf16()));
}
HEADROOM_INLINE void store(F16* to, F32x16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), rounded_bits(a, F16()));
}
HEADROOM_INLINE void store(Bf16* to, F32x16 a, int64_t n) { store_bits(to, rounded_bits(a, Bf16()), n); }
HEADROOM_INLINE void store(F16* to, F32x16 a, int64_t n) { store_bits(to, rounded_bits(a, F16()), n); }
HEADROOM_INLINE void stream(Bf16* to, F32x16 a) {
  _mm256_stream_si256(reinterpret_cast<__m256i*>(to), rounded_bits(a, Bf16()));
}
HEADROOM_INLINE void stream(F16* to, F32x16 a) {
  _mm256_stream_si256(reinterpret_cast<__m256i*>(to), rounded_bits(a, F16()));
}

// A number in f32 that is read as if it stood in a format of 16 bits.
template <class Half>
struct Rounded {
  float value;
};
template <class Half>
HEADROOM_INLINE F32x16 load(const Rounded<Half>* from, int64_t n) {
  alignas(32) Half halves[16];
  store(halves, load(&from->value, n));
  return load(static_cast<const Half*>(halves));
}
template <class Half>
HEADROOM_INLINE F32x16 load(const Rounded<Half>* from) {
  return load(from, kLanes);
}

}  // namespace headroom::HEADROOM_ISA
