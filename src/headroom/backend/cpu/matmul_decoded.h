// A right factor in a block format: its blocks are decoded before they are packed, or while they are multiplied by a
// few rows. The elements are those of the format's definition, so the products are what decoding the whole would give.
#pragma once

#include <algorithm>
#include <utility>

#include "headroom/backend/cpu/decode_blocks.h"
#include "headroom/backend/cpu/grouped_panels.h"
#include "headroom/backend/cpu/matmul_pack.h"
#include "headroom/backend/cpu/matmul_product.h"

namespace headroom::HEADROOM_ISA {

// Stands for the elements of a block format in the templates of products.
struct Decoded {
  float value;
};

// Rows [row, row + lanes) of a grouped weight, elements [k, k + depth), as lanes of packed panels.
template <int kWidth, int kBits>
void pack_panels(const GroupedPanels& weight, int64_t row, int64_t lanes, int64_t k, int64_t depth, float* to) {
  const GroupedLayout& layout = weight.layout();
  for (int64_t lane = 0; lane < lanes; lane += kPanelRows) {
    const uint8_t* panel = weight.panel((row + lane) / kPanelRows);
    float* place = to + lane / kWidth * panel_stride<kWidth>(depth) + lane % kWidth;
    for (int64_t at = 0; at < depth; at += kPanelStep) {
      const PanelCodes<kBits> codes(panel, layout.columns, k + at);
      codes.template prefetch<kAheadOfPanel>();
      const PanelWeights<kBits> weights(weight.group(panel, (k + at) / layout.group));
      float* step = place + at * kWidth;
      for_each_element<kBits, 1>(
          {codes}, {weights}, [&](auto i, const auto& elements) __attribute__((always_inline)) {
            store(step + i * kWidth, elements[0]);
          });
    }
  }
}

// Elements [k, k + depth) x [j, j + lanes) of the factor, row and column as it is multiplied, packed; `decoded` holds
// kDecodedBytes.
template <int kWidth>
void pack_decoded(const Factor& factor, int64_t k, int64_t depth, int64_t j, int64_t lanes, float* decoded, float* to) {
  const Tensor& tensor = *factor.blocks;
  const Shape& shape = tensor.type.shape;
  const int64_t columns = shape[shape.rank() - 1];  // of a matrix, or of a stack of them
  if (factor.transposed && as_grouped(tensor.type.dtype) != nullptr && k % kPanelStep == 0 && depth % kPanelStep == 0) {
    const GroupedPanels weight(tensor);
    return with_bits(weight.layout().bits, [&]<int kBits>() {
      pack_panels<kWidth, kBits>(weight, factor.first_row + j, lanes, k, depth, to);
    });
  }
  const int64_t rows = factor.transposed ? lanes : depth;
  const int64_t width = factor.transposed ? depth : lanes;
  const int64_t first = (factor.first_row + (factor.transposed ? j : k)) * columns + (factor.transposed ? k : j);
  decode_rows(tensor, first, columns, rows, width, decoded);
  pack<kWidth, Order::ascending>(static_cast<const float*>(decoded), width, factor.transposed, lanes, kWidth, depth,
                                 to);
}

// kRows rows of C by kPanels panels side by side: as many chains as keep a processor from waiting for one. `width` is
// that of the last panel.
template <int kRows, int kBits, int kPanels>
void multiply_panels(const Product& product, const GroupedPanels& weight, int64_t j, int64_t width) {
  const GroupedLayout& layout = weight.layout();
  const float* a = reinterpret_cast<const float*>(product.a.data);
  float* c = reinterpret_cast<float*>(product.c) + j;
  const uint8_t* panel = weight.panel((product.b.first_row + j) / kPanelRows);
  const auto width_of = [=](int p) { return p + 1 < kPanels ? kPanelRows : width; };
  F32x16 sums[kRows][kPanels];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int p = 0; p < kPanels; ++p) {
      sums[r][p] = product.from_zero ? F32x16(0.0f) : load(c + r * product.c_stride + p * kPanelRows, width_of(p));
    }
  }
  const auto add_group = [&]<size_t... kPanel>(int64_t g, std::index_sequence<kPanel...>) {
    (weight.prefetch_group(panel + (kPanels + kPanel) * layout.panel_bytes(), g), ...);
    const std::array weights = {PanelWeights<kBits>(weight.group(panel + kPanel * layout.panel_bytes(), g))...};
    for (int64_t k = g * layout.group; k < (g + 1) * layout.group; k += kPanelStep) {
      const std::array codes = {PanelCodes<kBits>(panel + kPanel * layout.panel_bytes(), layout.columns, k)...};
      (codes[kPanel].template prefetch<kAheadOfPanel>(), ...);
      for_each_element<kBits, kPanels>(
          codes, weights, [&](auto i, const auto& elements) __attribute__((always_inline)) {
#pragma GCC unroll 8
            for (int r = 0; r < kRows; ++r) {
              const F32x16 element(a[r * product.a.stride + k + i]);
              ((sums[r][kPanel] = fma(element, elements[kPanel], sums[r][kPanel])), ...);
            }
          });
    }
  };
  for (int64_t g = 0; g < layout.groups; ++g) add_group(g, std::make_index_sequence<kPanels>());
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int p = 0; p < kPanels; ++p) store(c + r * product.c_stride + p * kPanelRows, sums[r][p], width_of(p));
  }
}

// kRows rows of C by the panels that [column_begin, column_end) of it need: multiples of sixteen, or the last column.
template <int kRows, int kBits>
void multiply_all_panels(const Product& product, const GroupedPanels& weight, int64_t column_begin,
                         int64_t column_end) {
  constexpr int kPanels = kWideRegisters && kRows <= 4 ? 2 : 1;
  constexpr int64_t kColumns = kPanels * kPanelRows;
  int64_t j = column_begin;
  for (; j + kColumns <= column_end; j += kColumns) {
    multiply_panels<kRows, kBits, kPanels>(product, weight, j, kPanelRows);
  }
  for (; j < column_end; j += kPanelRows) {
    multiply_panels<kRows, kBits, 1>(product, weight, j, std::min<int64_t>(kPanelRows, column_end - j));
  }
}

}  // namespace headroom::HEADROOM_ISA
