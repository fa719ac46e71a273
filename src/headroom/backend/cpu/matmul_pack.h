// Packing a factor of a product, so that the tile of matmul_tile.h reads it straight on. Lanes are rows of A or columns
// of B. A panel is `height` lanes over all depth, in the places of kWidth: lane i, depth k at
//   to[i / height * panel_stride + place(k) * kWidth + i % height].
// Other places hold anything and never reach C. Whole registers are stored: where kWidth is no multiple of one, over
// the next place, and behind the last; so places are stored ascending.
#pragma once

#include <algorithm>

#include "headroom/backend/cpu/simd.h"
#include "headroom/backend/cpu/transpose.h"
#include "headroom/backend/matmul_blocks.h"

namespace headroom::HEADROOM_ISA {

template <int kWidth>
constexpr int64_t panel_stride(int64_t depth) {
  return depth * kWidth + kPanelSlack;
}

// In which order the terms of a chain are taken: as they come, or by pairs (k even, k + 1) with the odd one first; an
// odd depth has one place more then, and what it lacks is +0.
enum class Order { ascending, odd_first };

template <Order kOrder>
constexpr int64_t places_of(int64_t depth) {
  return kOrder == Order::ascending ? depth : (depth + 1) / 2 * 2;
}

// The depth whose term stands at `place`, and back.
template <Order kOrder>
constexpr int64_t swapped(int64_t place) {
  return kOrder == Order::ascending ? place : place ^ 1;
}

// Source rows are contiguous along the lanes: from[k * stride + i]. Many panels at a time, so that lines are used
// whole.
template <int kWidth, Order kOrder, class Element>
void pack_along(const Element* from, int64_t stride, int64_t lanes, int64_t height, int64_t depth, float* to) {
  constexpr int kRegisters = (kWidth + kTransposeTile - 1) / kTransposeTile;
  constexpr int64_t kLine = 64 / sizeof(Element);
  const int64_t group = 512 / kWidth * height;
  const int64_t places = places_of<kOrder>(depth);
  for (int64_t begin = 0; begin < lanes; begin += group) {
    const int64_t end = std::min(begin + group, lanes);
    for (int64_t place = 0; place < places; ++place) {
      const int64_t k = swapped<kOrder>(place);
      const bool is_there = k < depth;
      const Element* row = from + (is_there ? k : 0) * stride;
      for (int64_t i = begin; i < end; i += kLine) prefetch<1>(row, i + 8 * stride);
      float* panel = to + begin / height * panel_stride<kWidth>(places) + place * kWidth;
      for (int64_t i = begin; i < end; i += height, panel += panel_stride<kWidth>(places)) {
#pragma GCC unroll 4
        for (int j = 0; j < kRegisters; ++j) {
          const int64_t first = i + j * kTransposeTile;
          const int64_t count = is_there ? lanes - first : 0;
          const TileRow values = count >= kTransposeTile
                                     ? load_tile_row(row + first)
                                     : load_tile_row(count > 0 ? row + first : row, std::max<int64_t>(count, 0));
          store_tile_row(panel + j * kTransposeTile, values);
        }
      }
    }
  }
}

// Source rows are contiguous along k: from[i * stride + k]. One panel.
template <int kWidth, Order kOrder, class Element>
void pack_across(const Element* from, int64_t stride, int64_t lanes, int64_t depth, float* to) {
  constexpr int64_t kStep = 64 / sizeof(Element);
  int64_t k = 0;
  if constexpr (kWidth % kTransposeTile == 0) {
    for (; lanes == kWidth && k + kStep <= depth; k += kStep) {
#pragma GCC unroll 2
      for (int i = 0; i < kWidth; i += kTransposeTile) {
        for_each_column(
            from + i * stride + k, stride, [&](int c, TileRow column) __attribute__((always_inline)) {
              store_tile_row(to + swapped<kOrder>(k + c) * kWidth + i, column);
            });
      }
    }
  }
  for (; k < depth; k += kTransposeTile) {
    const int64_t columns = std::min<int64_t>(kTransposeTile, depth - k);
#pragma GCC unroll 2
    for (int i = 0; i < kWidth; i += kTransposeTile) {
      TileRow tile[kTransposeTile];
#pragma GCC unroll 16
      for (int r = 0; r < kTransposeTile; ++r) {
        if (i + r >= kWidth) {
          tile[r] = tile[0];
          continue;
        }
        const Element* row = from + (i + r < lanes ? i + r : 0) * stride + k;
        tile[r] = columns == kTransposeTile ? load_tile_row(row) : load_tile_row(row, columns);
      }
      transpose_registers(tile);
#pragma GCC unroll 16
      for (int c = 0; c < kTransposeTile; ++c) {
        if (c < places_of<kOrder>(columns)) store_tile_row(to + (k + c) * kWidth + i, tile[swapped<kOrder>(c)]);
      }
    }
  }
}

template <int kWidth, Order kOrder, class Element>
void pack(const Element* from, int64_t stride, bool is_contiguous_along_k, int64_t lanes, int64_t height, int64_t depth,
          float* to) {
  if (!is_contiguous_along_k) return pack_along<kWidth, kOrder>(from, stride, lanes, height, depth, to);
  for (int64_t i = 0; i < lanes; i += height, to += panel_stride<kWidth>(places_of<kOrder>(depth))) {
    pack_across<kWidth, kOrder>(from + i * stride, stride, std::min(height, lanes - i), depth, to);
  }
}

}  // namespace headroom::HEADROOM_ISA
