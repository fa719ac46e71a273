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
      const PanelGroup group = weight.group(panel, (k + at) / layout.group);
      for_each_element<kBits>(
          panel, layout.columns, k + at, group, [&](int i, F32x16 weights) __attribute__((always_inline)) {
            store(place + (at + i) * kWidth, weights);
          });
    }
  }
}

// Elements [k, k + depth) x [j, j + lanes) of the factor, row and column as it is multiplied, packed; `decoded` holds
// kDecodedBytes.
template <int kWidth>
void pack_decoded(const Factor& factor, int64_t k, int64_t depth, int64_t j, int64_t lanes, float* decoded, float* to) {
  const Tensor& tensor = *factor.blocks;
  const int64_t columns = tensor.dim(1);
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

// kRows rows of C by the panels that [column_begin, column_end) of it need: multiples of sixteen, or the last column.
template <int kRows, int kBits>
void multiply_panels(const Product& product, const GroupedPanels& weight, int64_t column_begin, int64_t column_end) {
  const GroupedLayout& layout = weight.layout();
  const float* a = reinterpret_cast<const float*>(product.a.data);
  float* c = reinterpret_cast<float*>(product.c);
  for (int64_t j = column_begin; j < column_end; j += kPanelRows) {
    const int64_t width = std::min<int64_t>(kPanelRows, column_end - j);
    const uint8_t* panel = weight.panel((product.b.first_row + j) / kPanelRows);
    F32x16 sums[kRows];
    for (int r = 0; r < kRows; ++r) {
      sums[r] = product.from_zero ? F32x16(0.0f) : load(c + r * product.c_stride + j, width);
    }
    for (int64_t k = 0; k < layout.columns; k += kPanelStep) {
      const PanelGroup group = weight.group(panel, k / layout.group);
      for_each_element<kBits>(
          panel, layout.columns, k, group, [&](int i, F32x16 weights) __attribute__((always_inline)) {
#pragma GCC unroll 8
            for (int r = 0; r < kRows; ++r) {
              sums[r] = fma(F32x16(a[r * product.a.stride + k + i]), weights, sums[r]);
            }
          });
    }
    for (int r = 0; r < kRows; ++r) store(c + r * product.c_stride + j, sums[r], width);
  }
}

}  // namespace headroom::HEADROOM_ISA
