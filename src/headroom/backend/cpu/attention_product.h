// The small products inside attention: both factors in scratch, the result in registers while its chains run.
//   6 rows x 64 columns with AVX-512 (24 of 32 registers), 6 x 16 with AVX2 (12 of 16).
#pragma once

#include <array>
#include <utility>

#include "headroom/backend/cpu/simd.h"

namespace headroom::HEADROOM_ISA {

inline constexpr int kProductRows = 6;
#if defined(__AVX512F__)
inline constexpr int kProductVectors = 4;
#else
inline constexpr int kProductVectors = 1;
#endif

// c[r, j] starts at +0 (from_zero), at factors[r] * c[r, j] (factors not null) or at c[r, j]; then for each step k,
// ascending, c[r, j] = fma(a[r * a_row + k * a_step], b[k * b_step + j], c[r, j]). Rows of c are c_row apart.
struct SmallProduct {
  int64_t steps;
  const float* a;
  int64_t a_row;
  int64_t a_step;
  const float* b;
  int64_t b_step;
  float* c;
  int64_t c_row;
  const float* factors = nullptr;
  bool from_zero = false;
};

template <int kRows, int kVectors>
HEADROOM_INLINE void multiply_columns(const SmallProduct& product, int64_t column) {
  float* c = product.c + column;
  F32x16 sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      sums[r][j] = product.from_zero ? F32x16(0.0f) : load(c + r * product.c_row + 16 * j);
      if (product.factors != nullptr && !product.from_zero) sums[r][j] = sums[r][j] * F32x16(product.factors[r]);
    }
  }
  const int64_t a_row = product.a_row;
  const float* a = product.a;
  const float* b = product.b + column;
  for (int64_t k = product.steps; k > 0; --k) {
    F32x16 row[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) row[j] = load(b + 16 * j);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const F32x16 element(a[r * a_row]);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) sums[r][j] = fma(element, row[j], sums[r][j]);
    }
    a += product.a_step;
    b += product.b_step;
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) store(c + r * product.c_row + 16 * j, sums[r][j]);
  }
}

template <int kRows>
void multiply_rows(const SmallProduct& product, int64_t columns) {
  int64_t column = 0;
  for (; column + 16 * kProductVectors <= columns; column += 16 * kProductVectors) {
    multiply_columns<kRows, kProductVectors>(product, column);
  }
  if constexpr (kProductVectors == 4) {
    switch ((columns - column) / 16) {
      case 3: return multiply_columns<kRows, 3>(product, column);
      case 2: return multiply_columns<kRows, 2>(product, column);
      case 1: return multiply_columns<kRows, 1>(product, column);
      default: return;
    }
  }
}

template <size_t... kRowsBelow>
constexpr auto row_functions(std::index_sequence<kRowsBelow...>) {
  using Function = void (*)(const SmallProduct&, int64_t);
  return std::array<Function, sizeof...(kRowsBelow)>{&multiply_rows<static_cast<int>(kRowsBelow) + 1>...};
}

// `rows` from 1 to kProductRows; `columns` a multiple of 16.
inline void multiply_small(const SmallProduct& product, int64_t rows, int64_t columns) {
  static constexpr auto kFunctions = row_functions(std::make_index_sequence<kProductRows>());
  kFunctions[static_cast<size_t>(rows - 1)](product, columns);
}

}  // namespace headroom::HEADROOM_ISA
