// exp and log of f32: our own polynomials in one written order of operations, so that no libm reaches a number
// (docs/arithmetic.md). Templates over the number: one lane (reference/scalar.h) and sixteen (cpu/simd.h) instantiate
// the same text and so have the same bits. A number type F has +, -, *, fma, comparisons, select(mask, F, F),
// max_or_second, min_or_second, is_nan, bits_of, from_bits, and an integer type F::Int with +, -, &, shifts, to_f32.
// All of it is inlined: an out-of-line copy would carry one instruction set into programs that lack it.
#pragma once

#include <cstdint>

namespace headroom {

// a * 2^n rounded once, for whole n from -152 to 128, which is given twice; 1/2 < |a| < 2. An instruction set may have
// an own way. In two factors, because n reaches beyond what one exponent holds; the first product is exact.
template <class F>
[[gnu::always_inline]] inline F scale_by_power(F a, F /*n*/, typename F::Int n) {
  const typename F::Int biased_twice = n + typename F::Int(2 * 127);
  const typename F::Int half = shift_right<1>(biased_twice);
  return (a * from_bits(shift_left<23>(half))) * from_bits(shift_left<23>(biased_twice - half));
}

// e^x, about 1 ulp from the exact value; overflow is inf, exp(-inf) is 0, NaN stays NaN.
//   x = n ln2 + r, |r| <= ln2/2: e^x = 2^n (1 + r + r^2 q(r)), q minimax (Remez; relative error 2^-28).
template <class F>
[[gnu::always_inline]] inline F elementary_exp(F x) {
  // The bounds come first, so that a NaN in x is the second operand and survives. Beyond them the result is 0 or inf.
  x = max_or_second(F(-105.0f), min_or_second(F(89.0f), x));
  const F magic(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer, which stands in the low bits
  const F shifted = fma(x, F(0x1.715476p+0f), magic);
  const F n = shifted - magic;
  F r = fma(n, F(-0x1.62e400p-1f), x);
  r = fma(n, F(-0x1.7f7d1cp-20f), r);
  F q(0x1.6a23d0p-10f);
  q = fma(q, r, F(0x1.123a20p-7f));
  q = fma(q, r, F(0x1.5558f2p-5f));
  q = fma(q, r, F(0x1.555492p-3f));
  q = fma(q, r, F(0x1.fffffcp-2f));
  const F mantissa = fma(q, r * r, r) + F(1.0f);
  return scale_by_power(mantissa, n, bits_of(shifted) - bits_of(magic));
}

// The natural logarithm, about 1 ulp; log(0) is -inf, of negative numbers NaN, of inf inf; denormals are understood.
//   x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt(2): log x = e ln2 + f - f^2/2 + f^3 q(f) (relative error 2^-28).
template <class F>
[[gnu::always_inline]] inline F elementary_log(F x) {
  using Int = typename F::Int;
  const auto tiny = x < F(0x1p-126f);
  const F normal = select(tiny, x * F(0x1p23f), x);
  const F bias = select(tiny, F(-23.0f), F(0.0f));
  const Int root_half(0x3f3504f3);
  const Int shifted = bits_of(normal) - root_half;
  const F e = to_f32(shift_right<23>(shifted)) + bias;
  const F f = from_bits((shifted & Int(0x007fffff)) + root_half) - F(1.0f);
  F q(0x1.1d8ea6p-4f);
  q = fma(q, f, F(-0x1.d635bcp-4f));
  q = fma(q, f, F(0x1.dea282p-4f));
  q = fma(q, f, F(-0x1.fcf4c6p-4f));
  q = fma(q, f, F(0x1.23d21ap-3f));
  q = fma(q, f, F(-0x1.555b4ap-3f));
  q = fma(q, f, F(0x1.999d5ap-3f));
  q = fma(q, f, F(-0x1.fffffcp-3f));
  q = fma(q, f, F(0x1.555554p-2f));
  const F square = f * f;
  F tail = fma(e, F(0x1.7f7d1cp-20f), (f * square) * q);
  tail = fma(square, F(-0.5f), tail);
  const F result = fma(e, F(0x1.62e400p-1f), f + tail);
  const F infinity = from_bits(Int(0x7f800000));
  const F checked = select(x < infinity, result, x);  // inf and NaN pass through
  const F signed_case = select(x < F(0.0f), from_bits(Int(0x7fc00000)), checked);
  return select(x == F(0.0f), from_bits(Int(static_cast<int32_t>(0xff800000u))), signed_case);
}

}  // namespace headroom
