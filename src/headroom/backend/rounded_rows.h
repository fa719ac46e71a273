// The left factor of matmul_int8 in scratch: its rows rounded to 8 bits, group by group, what a code counts, and the
// sum of a group's codes.
//   T rows, K elements of a row, in groups of G
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "headroom/base/bytes.h"
#include "headroom/base/grouped_format.h"

namespace headroom {

struct RoundedRowsScratch {
  // Rows are filled up to a multiple of these with anything: registers that hold squares of rows may read them.
  static constexpr int64_t kRowUnit = 16;

  RoundedRowsScratch(int64_t rows, int64_t columns, int64_t group_elements)
      : group(group_elements),
        groups(columns / group_elements),
        scales_at(round_up(round_up(rows, kRowUnit) * columns, 64)),
        sums_at(scales_at + round_up(4 * round_up(rows, kRowUnit) * groups, 64)),
        bytes(sums_at + round_up(4 * round_up(rows, kRowUnit) * groups, 64)) {}

  int64_t group, groups;
  // codes int8[T, K] at 0, then f32[T, K / G], then i32[T, K / G].
  int64_t scales_at, sums_at, bytes;
};

// A group whose largest magnitude is below it counts as zeros.
inline constexpr float kLeastRounded = 0x1p-100f;

}  // namespace headroom
