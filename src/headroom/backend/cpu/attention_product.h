// The small products inside attention: both factors in scratch, the result in registers while its chains run.
//   6 rows x 64 columns with AVX-512 (24 of 32 registers), 6 x 16 with AVX2 (12 of 16).
#pragma once

#include <algorithm>
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
inline constexpr int64_t kPanelColumns = 16 * kProductVectors;

// A factor [steps, columns] packed in panels of kPanelColumns columns, each contiguous, so that a panel stays in the
// first cache while many rows pass it. The last panel is as narrow as what is left; `columns` is a multiple of 16.
struct Panels {
  float* data;
  int64_t steps;
  int64_t columns;

  HEADROOM_INLINE int64_t width(int64_t column) const {
    return std::min(kPanelColumns, columns - column / kPanelColumns * kPanelColumns);
  }
  HEADROOM_INLINE float* at(int64_t step, int64_t column) const {
    const int64_t inside = column % kPanelColumns;
    return data + (column - inside) * steps + step * width(column) + inside;
  }
};

// c[r, j] starts at +0 (from_zero), at factors[r] * c[r, j] (factors not null) or at c[r, j]; then for each step k,
// ascending, c[r, j] = fma(a[r * a_row + k * a_step], b[k, j], c[r, j]). Rows of c are c_row apart.
struct SmallProduct {
  int64_t steps;
  const float* a;
  int64_t a_row;
  int64_t a_step;
  float* c;
  int64_t c_row;
  const float* factors = nullptr;
  bool from_zero = false;
};

// kRows rows from `row` and 16 * kVectors columns; `b` and `c` stand at the first of them, rows of b are b_step apart.
template <int kRows, int kVectors, class Element>
void multiply_part(const SmallProduct& product, int64_t row, const Element* b, int64_t b_step, float* c) {
  c += row * product.c_row;
  F32x16 sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      sums[r][j] = product.from_zero ? F32x16(0.0f) : load(c + r * product.c_row + 16 * j);
      if (product.factors != nullptr && !product.from_zero) sums[r][j] = sums[r][j] * F32x16(product.factors[row + r]);
    }
  }
  const int64_t a_row = product.a_row;
  const float* a = product.a + row * a_row;
  for (int64_t k = product.steps; k > 0; --k) {
    F32x16 elements[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) elements[j] = load(b + 16 * j);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const F32x16 element(a[r * a_row]);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) sums[r][j] = fma(element, elements[j], sums[r][j]);
    }
    a += product.a_step;
    b += b_step;
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) store(c + r * product.c_row + 16 * j, sums[r][j]);
  }
}

// multiply_part by (rows - 1) * kProductVectors + (vectors - 1).
template <class Element, size_t... kPlaces>
constexpr auto part_functions(std::index_sequence<kPlaces...>) {
  return std::array{&multiply_part<static_cast<int>(kPlaces) / kProductVectors + 1,
                                   static_cast<int>(kPlaces) % kProductVectors + 1, Element>...};
}

// `rows` rows and the 16 * vectors columns at which `b` and `c` stand.
template <class Element>
HEADROOM_INLINE void multiply_panel(const SmallProduct& product, int64_t rows, int64_t vectors, const Element* b,
                                    int64_t b_step, float* c) {
  static constexpr auto kFunctions =
      part_functions<Element>(std::make_index_sequence<kProductRows * kProductVectors>());
  for (int64_t row = 0; row < rows; row += kProductRows) {
    const int64_t height = std::min<int64_t>(kProductRows, rows - row);
    kFunctions[static_cast<size_t>((height - 1) * kProductVectors + vectors - 1)](product, row, b, b_step, c);
  }
}

// The first `columns` columns, a multiple of 16, of `rows` rows; b from `first_step` on.
inline void multiply_small(const SmallProduct& product, const Panels& b, int64_t first_step, int64_t rows,
                           int64_t columns) {
  for (int64_t column = 0; column < columns; column += kPanelColumns) {
    multiply_panel(product, rows, std::min(kPanelColumns, columns - column) / 16, b.at(first_step, column),
                   b.width(column), product.c + column);
  }
}
// The same with b in rows that are b_step apart.
template <class Element>
void multiply_small(const SmallProduct& product, const Element* b, int64_t b_step, int64_t rows, int64_t columns) {
  for (int64_t column = 0; column < columns; column += kPanelColumns) {
    multiply_panel(product, rows, std::min(kPanelColumns, columns - column) / 16, b + column, b_step,
                   product.c + column);
  }
}

}  // namespace headroom::HEADROOM_ISA
