// The scratch of matmul_int8: the left factor's rows rounded to 8 bits, group by group, what a code counts, and the sum
// of a group's codes; behind them, where rows are many, a block of the product for each thread.
//   T rows, K elements of a row, in groups of G
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "headroom/base/bytes.h"
#include "headroom/base/grouped_format.h"

namespace headroom {

// A thread unpacks the codes of kPanels panels, kDepth of each row, to bytes (24 KiB, for the first-level cache) and
// multiplies kRows rows by them, whose sums (48 KiB) wait for the codes that come next.
struct ByteBlock {
  static constexpr int64_t kPanels = 3;
  static constexpr int64_t kDepth = 512;
  static constexpr int64_t kRows = 256;

  static constexpr int64_t kCodeBytes = kPanels * kPanelRows * kDepth;
  static constexpr int64_t kSumBytes = kRows * kPanels * kPanelRows * static_cast<int64_t>(sizeof(float));
  static constexpr int64_t kBytes = kCodeBytes + kSumBytes;
};

struct RoundedRowsScratch {
  // Rows are filled up to a multiple of these with anything: registers that hold squares of rows may read them.
  static constexpr int64_t kRowUnit = 16;
  // So many are multiplied as the panels pass by, without blocks.
  static constexpr int64_t kFewRows = 8;

  RoundedRowsScratch(int64_t rows, int64_t columns, int64_t group_elements, int threads)
      : group(group_elements),
        groups(columns / group_elements),
        scales_at(round_up(round_up(rows, kRowUnit) * columns, 64)),
        sums_at(scales_at + round_up(4 * round_up(rows, kRowUnit) * groups, 64)),
        blocks_at(sums_at + round_up(4 * round_up(rows, kRowUnit) * groups, 64)),
        bytes(blocks_at + (rows > kFewRows ? threads * ByteBlock::kBytes : 0)) {}

  int64_t group, groups;
  // codes int8[T, K] at 0, then f32[T, K / G], then i32[T, K / G], then the threads' blocks.
  int64_t scales_at, sums_at, blocks_at, bytes;
};

// A group whose largest magnitude is below it counts as zeros.
inline constexpr float kLeastRounded = 0x1p-100f;

}  // namespace headroom
