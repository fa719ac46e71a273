// The scratch of kernels that go through a weight with the factor of a Gram matrix (ops/gptq.h): some rows of the
// weight at a time, and of their columns a block.
#pragma once

#include <algorithm>
#include <cstdint>

#include "headroom/backend/matmul_blocks.h"
#include "headroom/base/bytes.h"

namespace headroom {

inline constexpr int64_t kGptqRows = 512;     // at a time; whole panels
inline constexpr int64_t kGptqColumns = 128;  // of a block: of every group that is not the row whole groups

// Offsets in bytes, each on a line. `groups` of a row; 0: no codes are found.
struct GptqScratch {
  GptqScratch(int64_t rows, int64_t columns, int64_t groups, int threads)
      : tile_rows(std::min(rows, kGptqRows)), elements_at(product_scratch_bytes(threads)) {
    block_at = elements_at + round_up(4 * tile_rows * columns, 64);
    triangle_at = block_at + 4 * tile_rows * kGptqColumns;
    grids_at = triangle_at + 4 * kGptqColumns * kGptqColumns;
    codes_at = grids_at + round_up(8 * tile_rows * groups, 64);
    bytes = codes_at + (groups == 0 ? 0 : round_up(tile_rows * columns, 64));
  }

  int64_t tile_rows;
  int64_t elements_at;  // f32[rows, K], columns in their order: w, and once a column has its code w - q
  int64_t block_at;     // f32[rows, kGptqColumns]: w' of a block
  int64_t triangle_at;  // f32[kGptqColumns, kGptqColumns]: the factor's part there
  int64_t grids_at;     // of each row and group: its scale's bits and its zero, i32 each
  int64_t codes_at;     // u8[rows, K], columns as the weight has them
  int64_t bytes;
};

}  // namespace headroom
