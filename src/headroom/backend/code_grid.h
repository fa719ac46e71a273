// The numbers that a group of a weight can become (base/grouped_format.h), and the search for those that lose least
// (ops/gptq.h). Shared by all instruction sets: everything is inlined, so that no copy made for one of them reaches
// another; loops over sixteen lanes have the same bits on all of them.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "headroom/base/dtype.h"

namespace headroom {

struct CodeGrid {
  float scale = 0;
  float zero = 0;
  float most = 0;  // codes are 0 .. most
  uint16_t scale_bits = 0;
};

// To nearest even, cut to the grid; where there is no scale, a code that means 0.
[[gnu::always_inline]] inline float code_on(const CodeGrid& grid, float x) {
  constexpr float kBeyond = 512;       // codes are cut long before
  constexpr float kWhole = 0x1.8p23f;  // behind a sum with it there is no room for a fraction
  float quotient = grid.scale == 0 ? 0 : x / grid.scale;
  quotient = quotient > -kBeyond ? quotient : -kBeyond;
  quotient = quotient < kBeyond ? quotient : kBeyond;
  float code = (quotient + kWhole) - kWhole + grid.zero;
  code = code > 0 ? code : 0;
  return code < grid.most ? code : grid.most;
}

[[gnu::always_inline]] inline float value_on(const CodeGrid& grid, float code) {
  return (code - grid.zero) * grid.scale;
}

// The grid with that scale, rounded to f16.
[[gnu::always_inline]] inline CodeGrid with_scale(const CodeGrid& grid, float scale) {
  CodeGrid other = grid;
  other.scale_bits = f32_to_f16(scale);
  other.scale = f16_to_f32(other.scale_bits);
  return other;
}

// What a group spans: of an int format its element of the largest magnitude, of a uint format its ends, around 0.
struct GroupRange {
  float largest = 0;
  float low = 0;
  float high = 0;
};

// `count` elements, a multiple of 16.
[[gnu::always_inline]] inline GroupRange range_of(const float* group, int64_t count) {
  GroupRange range;
  for (int64_t i = 0; i < count; ++i) {
    const float x = group[i];
    range.largest = std::fabs(x) > std::fabs(range.largest) ? x : range.largest;
    range.low = x < range.low ? x : range.low;
    range.high = x > range.high ? x : range.high;
  }
  return range;
}

// The grid of a range that is `part` of the group's, as encode() makes one of the whole.
[[gnu::always_inline]] inline CodeGrid grid_of_part(const GroupRange& range, float part, int bits, bool has_zeros) {
  CodeGrid grid;
  grid.most = static_cast<float>((1 << bits) - 1);
  const float middle = static_cast<float>(1 << (bits - 1));
  const float step = has_zeros ? (range.high * part - range.low * part) / grid.most : -(range.largest * part) / middle;
  grid.scale_bits = f32_to_f16(step);
  grid.scale = f16_to_f32(grid.scale_bits);
  grid.zero = middle;
  if (has_zeros) grid.zero = grid.scale > 0 ? code_on({grid.scale, 0, grid.most, 0}, -(range.low * part)) : 0;
  return grid;
}

// sum of weight(i) * (x - its number on the grid)^2, in sixteen lanes that are added as everywhere
// (docs/arithmetic.md).
template <class Weight>
[[gnu::always_inline]] inline float loss_on(const CodeGrid& grid, const float* group, Weight weight, int64_t count) {
  std::array<float, 16> lanes{};
  for (int64_t i = 0; i < count; i += 16) {
    for (int64_t lane = 0; lane < 16; ++lane) {
      const float x = group[i + lane];
      const float lost = x - value_on(grid, code_on(grid, x));
      lanes[static_cast<size_t>(lane)] += weight(i + lane) * lost * lost;
    }
  }
  for (size_t half = 8; half > 0; half /= 2) {
    for (size_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

// The best of `search` grids, of which each is 2 % of the range narrower than the one before; the wider among equals.
template <class Weight>
[[gnu::always_inline]] inline CodeGrid find_grid(const float* group, Weight weight, int64_t count, int bits,
                                                 bool has_zeros, int64_t search) {
  const GroupRange range = range_of(group, count);
  CodeGrid best = grid_of_part(range, 1.0f, bits, has_zeros);
  if (search == 1) return best;
  float least = loss_on(best, group, weight, count);
  for (int64_t i = 1; i < search; ++i) {
    const CodeGrid grid = grid_of_part(range, 1.0f - 0.02f * static_cast<float>(i), bits, has_zeros);
    const float loss = loss_on(grid, group, weight, count);
    if (!(loss < least)) continue;
    best = grid;
    least = loss;
  }
  return best;
}

}  // namespace headroom
