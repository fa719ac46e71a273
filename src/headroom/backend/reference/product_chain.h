// The chain of fused multiply-adds that each element of a product is. Where the left factor has 16 bits, the right one
// is rounded to its format when it is read in f32. Of bf16 the terms come in pairs, the odd one first, and numbers
// below the smallest normal one count as zeros, as the processors' dot-product instructions have it (vdpbf16ps); a
// missing last term is 0 * 0.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "headroom/backend/reference/weight_elements.h"

namespace headroom::reference {

template <class Left>
inline constexpr bool kTakesPairs = std::is_same_v<std::remove_cv_t<Left>, Bf16>;

// The number as a product with that left factor reads it.
template <class Left>
float load_for(float value) {
  std::remove_cv_t<Left> rounded{};
  store_one(&rounded, value);
  return load_one(&rounded);
}

inline float without_denormals(float value) {
  return std::fabs(value) < std::numeric_limits<float>::min() ? std::copysign(0.0f, value) : value;
}

template <class Left>
float add_product(float a, float b, float sum) {
  if constexpr (!kTakesPairs<Left>) return std::fma(a, b, sum);
  return without_denormals(std::fma(without_denormals(a), without_denormals(b), without_denormals(sum)));
}

// Calls term(k) for 0 <= k < depth in the order of the chain; term(-1) stands for 0 * 0.
template <class Left, class Term>
void for_each_term(int64_t depth, Term&& term) {
  constexpr bool kPairs = kTakesPairs<Left>;
  for (int64_t i = 0; i < (kPairs ? depth + depth % 2 : depth); ++i) {
    const int64_t k = kPairs ? i ^ 1 : i;
    term(k < depth ? k : -1);
  }
}

}  // namespace headroom::reference
