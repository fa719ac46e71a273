// matmul_int8 of a few rows: all time goes into reading the weight, so its panels are multiplied as they pass by.
#pragma once

#include "headroom/backend/cpu/byte_products.h"
#include "headroom/backend/cpu/round_rows.h"

namespace headroom::HEADROOM_ISA {

// The integer sums of kRows rows and one group of a panel; sums over parts of a row are exact, so that one row runs as
// several chains, none of which waits for itself.
template <int kRows, int kBits>
HEADROOM_INLINE void add_group(const uint8_t* panel, int64_t columns, int64_t k, int64_t end, const int8_t* codes,
                               int64_t height, I32x16 (&products)[kRows]) {
  constexpr int kChains = kWideRegisters ? (kRows <= 2 ? 4 : 2) : (kRows <= 2 ? 2 : 1);
  I32x16 chains[kChains][kRows];
  unrolled<kChains>([&](auto c) __attribute__((always_inline)) {
    unrolled<kRows>([&](auto r) __attribute__((always_inline)) { chains[c][r] = c == 0 ? products[r] : I32x16(0); });
  });
  for (; k < end; k += kPanelStep, codes += kPanelStep * height) {
    const PanelCodes<kBits> of_weight(panel, columns, k);
    of_weight.template prefetch<kAheadOfPanel>();
    unrolled<kPanelStep / 4>([&](auto four) __attribute__((always_inline)) {
      const I32x16 bytes = of_weight.template four<four>();
      unrolled<kRows>([&](auto r) __attribute__((always_inline)) {
        I32x16& sum = chains[four % kChains][r];
        sum = add_byte_products<kBits>(sum, bytes, broadcast_four(codes + 4 * (four * height + r)));
      });
    });
  }
  unrolled<kRows>([&](auto r) __attribute__((always_inline)) {
    products[r] = chains[0][r];
    unrolled<kChains - 1>([&](auto c) __attribute__((always_inline)) { products[r] = products[r] + chains[c + 1][r]; });
  });
}

// Outputs of one panel for kRows rows, all that there are, in a strip of so many with lines of four.
template <int kRows, int kBits>
void multiply_panel(const GroupedPanels& weight, const uint8_t* panel, const RoundedRows& rows, float* y,
                    int64_t y_stride, int64_t width) {
  constexpr int kPart = kWideRegisters || kRows <= 4 ? kRows : (kRows + 1) / 2;  // what the registers hold
  const GroupedLayout& layout = weight.layout();
  const int64_t group = rows.scratch.group;
  F32x16 sums[kRows];
  unrolled<kRows>([&](auto r) __attribute__((always_inline)) { sums[r] = F32x16(0.0f); });
  const auto part = [&]<int kFirst, int kCount>(int64_t g, const PanelGroup& of_panel) __attribute__((always_inline)) {
    const float* scales = rows.scale(0, g) + kFirst;
    const int32_t* code_sums = rows.sum(0, g) + kFirst;
    I32x16 products[kCount];
    unrolled<kCount>([&](auto r) __attribute__((always_inline)) {
      products[r] = subtract_zeros<kBits>(I32x16(0), of_panel.zero, code_sums[r]);
    });
    add_group<kCount, kBits>(panel, layout.columns, g * group, (g + 1) * group, rows.codes(0, g * group) + 4 * kFirst,
                             kRows, products);
    unrolled<kCount>([&](auto r) __attribute__((always_inline)) {
      sums[kFirst + r] = fma(to_f32(products[r]), F32x16(scales[r]) * of_panel.scale, sums[kFirst + r]);
    });
  };
  for (int64_t g = 0; g < rows.scratch.groups; ++g) {
    const int64_t of_weight = g * group / layout.group;
    weight.prefetch_group(panel + layout.panel_bytes(), of_weight);
    const PanelGroup of_panel = weight.group(panel, of_weight);
    part.template operator()<0, kPart>(g, of_panel);
    if constexpr (kPart < kRows) part.template operator()<kPart, kRows - kPart>(g, of_panel);
  }
  unrolled<kRows>([&](auto r) __attribute__((always_inline)) { store(y + r * y_stride, sums[r], width); });
}

// Panels [begin, end) of the weight for the kRows rows that there are.
template <int kRows>
void multiply_few_rows(const GroupedPanels& weight, const RoundedRows& rows, int64_t begin, int64_t end,
                       const Tensor& y) {
  const int64_t outputs = y.dim(1);
  with_bits(weight.layout().bits, [&]<int kBits>() {
    for (int64_t index = begin; index < end; ++index) {
      const int64_t first = index * kPanelRows;
      multiply_panel<kRows, kBits>(weight, weight.panel(index), rows, y.as<float>() + first, outputs,
                                   std::min(kPanelRows, outputs - first));
    }
  });
}

}  // namespace headroom::HEADROOM_ISA
