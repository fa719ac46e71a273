// matmul_int8 of a few rows by AMX: the rows are one tile, and the panels of the weight pass by as others. A code of 8
// bits is read where it lies; smaller ones are unpacked a group ahead of their use.
#pragma once

#include "headroom/backend/cpu/byte_tiles.h"

namespace headroom::HEADROOM_ISA {

// From so many rows on tiles take less time than vectors; measured.
inline constexpr int64_t kLeastTileRows = 3;

// Rows of a tile that holds so many or more: what is more is multiplied in vain.
constexpr int64_t few_tile_rows(int64_t rows) { return rows <= 4 ? 4 : rows <= 8 ? 8 : kTileStrip; }

// The tiles of this thread, while it lives: 0 and 1 sums of a panel each, 2 rows, 3 and 4 weights.
template <int kRows>
class FewByteTiles {
 public:
  // `rows` are one strip of kRows, with lines as long as a tile's.
  FewByteTiles(const GroupedPanels& weight, const RoundedRows& rows, const Tensor& y)
      : weight_(weight), rows_(rows), y_(y) {
    TileShapes shapes;
    for (const int sums : {0, 1}) shapes.set(sums, kRows, kLineBytes);
    shapes.set(2, kRows, rows.line);
    for (const int weights : {3, 4}) shapes.set(weights, rows.line / 4, kLineBytes);
    shapes.load();
  }
  ~FewByteTiles() { _tile_release(); }
  FewByteTiles(const FewByteTiles&) = delete;
  FewByteTiles& operator=(const FewByteTiles&) = delete;

  // Panels [begin, end) of the weight.
  void multiply(int64_t begin, int64_t end) {
    with_bits(weight_.layout().bits, [&]<int kBits>() {
      int64_t panel = begin;
      for (; panel + 2 <= end; panel += 2) multiply_panels<kBits, 2>(panel);
      if (panel < end) multiply_panels<kBits, 1>(panel);
    });
  }

 private:
  static constexpr int64_t kMostGroup = 128;
  static constexpr int64_t kAhead = 2 * kAheadOfPanel;
  static constexpr int64_t kGroupBytes = kMostGroup * kPanelRows;

  // The codes of a group of a panel, a byte each, in lines of 16 rows x 4.
  template <int kBits>
  const uint8_t* codes_of(int64_t panel, int64_t p, int64_t g) {
    const int64_t group = rows_.scratch.group;
    const uint8_t* from = weight_.panel(panel + p);
    if constexpr (kBits == 8) {
      const uint8_t* codes = from + g * group * kPanelRows;
      for (int64_t at = 0; at < group * kPanelRows; at += kLineBytes) prefetch(codes, kAhead + at);
      return codes;
    }
    uint8_t* const unpacked = unpacked_[p][g % 2];
    for (int64_t k = 0; k < group; k += kPanelStep) {
      const PanelCodes<kBits> codes(from, rows_.columns, g * group + k);
      codes.template prefetch<kAhead>();
      unrolled<kPanelStep / 4>([&](auto four) __attribute__((always_inline)) {
        store_integers(reinterpret_cast<int32_t*>(unpacked + k * kPanelRows + four * kLineBytes),
                       codes.template four<four>());
      });
    }
    return unpacked;
  }

  template <int kBits, int kPanels>
  void multiply_panels(int64_t panel) {
    F32x16 sums[kPanels][kRows];
    const uint8_t* codes[kPanels];
    unrolled<kPanels>([&](auto p) __attribute__((always_inline)) {
      unrolled<kRows>([&](auto r) __attribute__((always_inline)) { sums[p][r] = F32x16(0.0f); });
      codes[p] = codes_of<kBits>(panel, p, 0);
    });
    for (int64_t g = 0; g < rows_.scratch.groups; ++g) {
      multiply_group<kPanels>(g, codes);
      if (g + 1 < rows_.scratch.groups) {
        for (int p = 0; p < kPanels; ++p) codes[p] = codes_of<kBits>(panel, p, g + 1);
      }
      _tile_stored(0, products_[0], kLineBytes);
      if constexpr (kPanels == 2) _tile_stored(1, products_[1], kLineBytes);
      unrolled<kPanels>([&](auto p)
                            __attribute__((always_inline)) { add_products(panel + p, g, products_[p], sums[p]); });
    }
    unrolled<kPanels>([&](auto p) __attribute__((always_inline)) {
      const int64_t first = (panel + p) * kPanelRows;
      const int64_t width = std::min(kPanelRows, y_.dim(1) - first);
      unrolled<kRows>([&](auto r) __attribute__((always_inline)) {
        if (r < y_.dim(0)) store(y_.as<float>() + r * y_.dim(1) + first, sums[p][r], width);
      });
    });
  }

  template <int kPanels>
  void multiply_group(int64_t g, const uint8_t* const (&codes)[kPanels]) const {
    const int64_t group = rows_.scratch.group;
    _tile_zero(0);
    if constexpr (kPanels == 2) _tile_zero(1);
    for (int64_t k = 0; k < group; k += rows_.line) {
      _tile_loadd(2, rows_.codes(0, g * group + k), rows_.line);
      _tile_loadd(3, codes[0] + k * kPanelRows, kLineBytes);
      _tile_dpbsud(0, 2, 3);
      if constexpr (kPanels == 2) {
        _tile_loadd(4, codes[1] + k * kPanelRows, kLineBytes);
        _tile_dpbsud(1, 2, 4);
      }
    }
  }

  HEADROOM_INLINE void add_products(int64_t panel, int64_t g, const int32_t* products, F32x16 (&sums)[kRows]) const {
    const int64_t of_weight = g * rows_.scratch.group / weight_.layout().group;
    const PanelGroup of_panel = weight_.group(weight_.panel(panel), of_weight);
    const float* scales = rows_.scale(0, g);
    const int32_t* code_sums = rows_.sum(0, g);
    unrolled<kRows>([&](auto r) __attribute__((always_inline)) {
      const I32x16 whole = load_integers(products + r * kPanelRows);
      const I32x16 product = subtract_zeros<4>(whole, of_panel.zero, code_sums[r]);
      sums[r] = fma(to_f32(product), F32x16(scales[r]) * of_panel.scale, sums[r]);
    });
  }

  const GroupedPanels& weight_;
  const RoundedRows& rows_;
  const Tensor& y_;
  alignas(64) uint8_t unpacked_[2][2][kGroupBytes];
  alignas(64) int32_t products_[2][kRows * kPanelRows];
};

}  // namespace headroom::HEADROOM_ISA
