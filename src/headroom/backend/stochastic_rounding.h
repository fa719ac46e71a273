// Stochastic rounding: up with the probability of what is cut off, from a random word an element (counter_random.h), so
// that the mean of many roundings is the number itself. Templates over the number as in elementary.h, with |, truncate
// and shift_right_logical beside what stands there.
#pragma once

#include <cstdint>

namespace headroom {

// To bf16, by the low 16 bits of the word: bf16 numbers, infinities among them, stay; a NaN stays a NaN. The result is
// in the low half; the high half is 0. Beyond the largest bf16 the next number is infinity, as in rounding to nearest.
template <class F>
[[gnu::always_inline]] inline typename F::Int round_to_bf16_stochastically(F x, typename F::Int word) {
  using Int = typename F::Int;
  const Int rounded = shift_right_logical<16>(bits_of(x) + (word & Int(0xffff)));
  const Int nan = shift_right_logical<16>(bits_of(x)) | Int(0x0040);  // quiet
  return bits_of(select(is_nan(x), from_bits(nan), from_bits(rounded)));
}

// To an integer, by the high 24 bits of the word, for 0 <= x < 2^23: integers stay. INT32_MIN where x is NaN or beyond
// the integers.
template <class F>
[[gnu::always_inline]] inline typename F::Int round_to_integer_stochastically(F x, typename F::Int word) {
  const F whole = to_f32(truncate(x));
  const F chance = to_f32(shift_right_logical<8>(word)) * F(0x1p-24f);
  return truncate(select(chance < x - whole, whole + F(1.0f), select(is_nan(x), x, whole)));
}

}  // namespace headroom
