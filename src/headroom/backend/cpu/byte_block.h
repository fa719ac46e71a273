// matmul_int8 of many rows: codes of some panels are unpacked to bytes and meet a block of rows, tile by tile
// (backend/rounded_rows.h: ByteBlock).
#pragma once

#include <algorithm>

#include "headroom/backend/cpu/byte_products.h"
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/cpu/round_rows.h"

namespace headroom::HEADROOM_ISA {

// A tile's sums of whole numbers fill the registers; its sums of f32 wait in the block. Three instructions stand for
// one where there is none for bytes, and need registers.
inline constexpr int kByteRows = kWideRegisters ? 8 : 4;
inline constexpr int kBytePanels = kWideRegisters ? 3 : 1;

inline constexpr int64_t kBlockSums = ByteBlock::kPanels * kPanelRows;  // of a row
inline constexpr int64_t kBlockPanelBytes = kPanelRows * ByteBlock::kDepth;

// A piece of the product: panels [panel, panel + panels) of the weight, groups [group, group_end), against rows
// [row, row_end).
struct ByteBlockCall {
  const GroupedPanels& weight;
  const RoundedRows& rows;
  uint8_t* codes;  // [kPanels][kDepth / 4] lines of 16 rows x 4 bytes
  float* sums;     // [kRows][kBlockSums], from `row` on
  int64_t panel, panels;
  int64_t group, group_end;
  int64_t row, row_end;

  PanelGroup group_of(int64_t p, int64_t g) const {
    return weight.group(weight.panel(panel + p), g * rows.scratch.group / weight.layout().group);
  }
};

template <int kBits>
void unpack_codes(const ByteBlockCall& call) {
  const int64_t begin = call.group * call.rows.scratch.group;
  const int64_t end = call.group_end * call.rows.scratch.group;
  for (int64_t p = 0; p < call.panels; ++p) {
    uint8_t* to = call.codes + p * kBlockPanelBytes;
    for (int64_t k = begin; k < end; k += kPanelStep) {
      const PanelCodes<kBits> codes(call.weight.panel(call.panel + p), call.rows.columns, k);
      codes.template prefetch<kPanelStep * 64>();
      unrolled<kPanelStep / 4>([&](auto four) __attribute__((always_inline)) {
        store_integers(reinterpret_cast<int32_t*>(to), codes.template four<four>());
        to += kLineBytes;
      });
    }
  }
}

// kRows rows from `t` on and kPanels panels from `first` on.
template <int kRows, int kPanels, int kBits>
void multiply_byte_tile(const ByteBlockCall& call, int64_t t, int64_t first) {
  const RoundedRows& rows = call.rows;
  const int64_t group = rows.scratch.group;
  const uint8_t* weights = call.codes + first * kBlockPanelBytes;
  for (int64_t g = call.group; g < call.group_end; ++g) {
    PanelGroup of_panel[kPanels];
    I32x16 products[kRows][kPanels];
#pragma GCC unroll 3
    for (int p = 0; p < kPanels; ++p) {
      of_panel[p] = call.group_of(first + p, g);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        products[r][p] = subtract_zeros<kBits>(I32x16(0), of_panel[p].zero, rows.sum(t, g)[r]);
      }
    }
    const int8_t* codes = rows.codes(t, g * group);
    const auto step = [&]() __attribute__((always_inline)) {
      I32x16 bytes[kPanels];
#pragma GCC unroll 3
      for (int p = 0; p < kPanels; ++p) {
        bytes[p] = load_integers(reinterpret_cast<const int32_t*>(weights + p * kBlockPanelBytes));
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const I32x16 row = broadcast_four(codes + 4 * r);
#pragma GCC unroll 3
        for (int p = 0; p < kPanels; ++p) products[r][p] = add_byte_products<kBits>(products[r][p], bytes[p], row);
      }
      weights += kLineBytes;
      codes += 4 * kByteRows;
    };
#pragma GCC unroll 2
    for (int64_t left = group / 4; left > 0; --left) step();
    float* sums = call.sums + (t - call.row) * kBlockSums + first * kPanelRows;
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r, sums += kBlockSums) {
      const F32x16 scale(rows.scale(t, g)[r]);
#pragma GCC unroll 3
      for (int p = 0; p < kPanels; ++p) {
        float* sum = sums + p * kPanelRows;
        store(sum, fma(to_f32(products[r][p]), scale * of_panel[p].scale, load(sum)));
      }
    }
  }
}

// The rows that whole tiles leave, by narrower ones.
template <int kRows, int kPanels, int kBits>
void multiply_byte_rows(const ByteBlockCall& call, int64_t t, int64_t first) {
  for (; t + kRows <= call.row_end; t += kRows) multiply_byte_tile<kRows, kPanels, kBits>(call, t, first);
  if constexpr (kRows > 1) multiply_byte_rows<kRows / 2, kPanels, kBits>(call, t, first);
}

// Once the codes are unpacked.
template <int kBits>
void multiply_byte_block(const ByteBlockCall& call) {
  int64_t p = 0;
  for (; p + kBytePanels <= call.panels; p += kBytePanels) {
    multiply_byte_rows<kByteRows, kBytePanels, kBits>(call, call.row, p);
  }
  if constexpr (kBytePanels > 1) {
    for (; p < call.panels; ++p) multiply_byte_rows<kByteRows, 1, kBits>(call, call.row, p);
  }
}

// Panels [begin, end) for all rows, which lie in strips of the height that `multiply` reads: multiply<kBits>(call) adds
// what the unpacked codes of kPanels panels or fewer give to the sums. `memory` is a ByteBlock.
template <int64_t kPanels, class Multiply>
void multiply_many_rows(const GroupedPanels& weight, const RoundedRows& rows, int64_t begin, int64_t end,
                        std::byte* memory, const Tensor& y, Multiply&& multiply) {
  const int64_t groups_at_once = ByteBlock::kDepth / rows.scratch.group;
  const int64_t outputs = y.dim(1);
  auto* sums = reinterpret_cast<float*>(memory + ByteBlock::kCodeBytes);
  ByteBlockCall call{weight, rows, reinterpret_cast<uint8_t*>(memory), sums, 0, 0, 0, 0, 0, 0};
  for (call.panel = begin; call.panel < end; call.panel += kPanels) {
    call.panels = std::min(kPanels, end - call.panel);
    for (call.row = 0; call.row < y.dim(0); call.row += ByteBlock::kRows) {
      call.row_end = std::min(call.row + ByteBlock::kRows, y.dim(0));
      std::fill_n(sums, ByteBlock::kSumBytes / static_cast<int64_t>(sizeof(float)), 0.0f);
      for (call.group = 0; call.group < rows.scratch.groups; call.group += groups_at_once) {
        call.group_end = std::min(call.group + groups_at_once, rows.scratch.groups);
        with_bits(weight.layout().bits, [&]<int kBits>() {
          unpack_codes<kBits>(call);
          multiply.template operator()<(kHasByteProducts || kBits < 8 ? 4 : 8)>(call);
        });
      }
      const int64_t first = call.panel * kPanelRows;
      for (int64_t t = call.row; t < call.row_end; ++t) {
        for_each_group(0, std::min(call.panels * kPanelRows, outputs - first), [&](int64_t j, auto n) {
          store(y.as<float>() + t * outputs + first + j, load(sums + (t - call.row) * kBlockSums + j), n);
        });
      }
    }
  }
}

}  // namespace headroom::HEADROOM_ISA
