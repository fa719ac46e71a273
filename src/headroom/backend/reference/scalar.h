// One lane of f32 with the operations of cpu/simd.h, so that the templates of elementary.h give the reference kernels
// and the vector kernels the same bits; and the sums over sixteen lanes that row reductions are defined by.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "headroom/backend/elementary.h"
#include "headroom/backend/elements.h"
#include "headroom/base/dtype.h"

namespace headroom::reference {

struct I32 {
  constexpr I32(int32_t value) : v(value) {}
  int32_t v;
};

struct F32 {
  using Int = I32;
  constexpr F32(float value) : v(value) {}
  float v;
};

inline F32 operator+(F32 a, F32 b) { return a.v + b.v; }
inline F32 operator-(F32 a, F32 b) { return a.v - b.v; }
inline F32 operator*(F32 a, F32 b) { return a.v * b.v; }
inline F32 operator/(F32 a, F32 b) { return a.v / b.v; }
inline F32 fma(F32 a, F32 b, F32 c) { return std::fma(a.v, b.v, c.v); }
inline F32 max_or_second(F32 a, F32 b) { return a.v > b.v ? a : b; }
inline F32 min_or_second(F32 a, F32 b) { return a.v < b.v ? a : b; }
inline bool operator<(F32 a, F32 b) { return a.v < b.v; }
inline bool operator<=(F32 a, F32 b) { return a.v <= b.v; }
inline bool operator==(F32 a, F32 b) { return a.v == b.v; }
inline bool is_nan(F32 a) { return a.v != a.v; }
inline F32 select(bool mask, F32 a, F32 b) { return mask ? a : b; }

inline uint32_t bits_unsigned(I32 a) { return static_cast<uint32_t>(a.v); }
inline I32 operator+(I32 a, I32 b) { return static_cast<int32_t>(bits_unsigned(a) + bits_unsigned(b)); }
inline I32 operator-(I32 a, I32 b) { return static_cast<int32_t>(bits_unsigned(a) - bits_unsigned(b)); }
inline I32 operator&(I32 a, I32 b) { return a.v & b.v; }
inline I32 operator|(I32 a, I32 b) { return a.v | b.v; }
inline I32 operator^(I32 a, I32 b) { return a.v ^ b.v; }
template <int kBits>
I32 shift_left(I32 a) {
  return static_cast<int32_t>(bits_unsigned(a) << kBits);
}
template <int kBits>
I32 shift_right(I32 a) {
  return a.v >> kBits;
}
template <int kBits>
I32 shift_right_logical(I32 a) {
  return static_cast<int32_t>(bits_unsigned(a) >> kBits);
}
inline I32 bits_of(F32 a) { return std::bit_cast<int32_t>(a.v); }
inline F32 from_bits(I32 a) { return std::bit_cast<float>(a.v); }
inline F32 to_f32(I32 a) { return static_cast<float>(a.v); }
// Towards zero; INT32_MIN where a is NaN or beyond the integers, as the processor has it.
inline I32 truncate(F32 a) { return a.v >= -0x1p31f && a.v < 0x1p31f ? static_cast<int32_t>(a.v) : INT32_MIN; }

// The two halves of the product of unsigned numbers.
struct WideProduct {
  I32 low, high;
};
inline WideProduct multiply_wide(I32 a, I32 b) {
  const uint64_t product = static_cast<uint64_t>(bits_unsigned(a)) * bits_unsigned(b);
  return {static_cast<int32_t>(static_cast<uint32_t>(product)), static_cast<int32_t>(product >> 32)};
}

inline float exp(float x) { return elementary_exp(F32(x)).v; }
inline float log(float x) { return elementary_log(F32(x)).v; }

// The larger; NaN when either is.
inline float max(float a, float b) { return a > b || a != a ? a : b; }

inline float load_one(const float* from) { return *from; }
inline float load_one(const Bf16* from) { return bf16_to_f32(from->bits); }
inline float load_one(const F16* from) { return f16_to_f32(from->bits); }

// Rounded to nearest even where the element has 16 bits.
inline void store_one(float* to, float value) { *to = value; }
inline void store_one(Bf16* to, float value) { to->bits = f32_to_bf16(value); }
inline void store_one(F16* to, float value) { to->bits = f32_to_f16(value); }

// Folds sixteen partial sums: l += l+8, l += l+4, l += l+2, l += l+1.
template <class Number>
Number sum_of_lanes(Number (&lanes)[16]) {
  for (int width = 8; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return lanes[0];
}

// The row reduction: element f goes to lane f % 16, each lane ascending from +0 by lane = step(f, lane); then the fold.
template <class Number = float, class Step>
Number sum_16_lanes(int64_t count, Step step) {
  Number lanes[16] = {};
  for (int64_t f = 0; f < count; ++f) lanes[f % 16] = step(f, lanes[f % 16]);
  return sum_of_lanes(lanes);
}

}  // namespace headroom::reference
