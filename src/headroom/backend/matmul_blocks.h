// The block sizes of CPU products, and the scratch that follows from them.
#pragma once

#include <cstdint>

#include "headroom/base/dtype.h"

namespace headroom {

// A thread packs kBlockDepth x kBlockRows of the left factor (768 KiB, read strip by strip, so the last cache will do;
// it meets every block of kSpanColumns columns), and kBlockDepth x kBlockColumns of the right one (64 KiB, read for
// every strip: well inside the second-level cache).
inline constexpr int64_t kBlockDepth = 256;
inline constexpr int64_t kBlockRows = 768;
inline constexpr int64_t kBlockColumns = 64;
inline constexpr int64_t kSpanColumns = 2048;

// Tiles have 6 to 14 rows and 16 to 32 columns; a panel of packed tiles has elements to spare at its end.
inline constexpr int64_t kLeastTileRows = 6;
inline constexpr int64_t kMostTileRows = 14;
inline constexpr int64_t kLeastTileColumns = 16;
inline constexpr int64_t kPanelSlack = 16;

inline constexpr int64_t kPackedRightBytes =
    4 * (kBlockDepth * kBlockColumns + kBlockColumns / kLeastTileColumns * kPanelSlack);
inline constexpr int64_t kPackedLeftBytes =
    4 * (kBlockDepth * (kBlockRows + kMostTileRows) + (kBlockRows / kLeastTileRows + 2) * kPanelSlack);
inline constexpr int64_t kProductScratchBytes = kPackedRightBytes + kPackedLeftBytes;  // per thread

// Where the right factor is in a block format, each thread decodes its blocks here before it packs them.
inline constexpr int64_t kDecodedBytes = 4 * kBlockDepth * kBlockColumns;
constexpr int64_t decoded_scratch_bytes(DType right, int threads) {
  return is_scalar(right) ? 0 : threads * kDecodedBytes;
}

constexpr int64_t product_scratch_bytes(int threads) { return threads * kProductScratchBytes; }

// A product of 16 bits runs its chains in f32, for a block of at most kBlockRows x kRoundedColumns in each thread.
inline constexpr int64_t kRoundedColumns = 1024;
// Elements from row to row of that block: padded, so that rows do not fall into the same cache sets.
constexpr int64_t rounded_block_stride(int64_t columns) {
  return ((columns < kRoundedColumns ? columns : kRoundedColumns) + 15) / 16 * 16 + 16;
}
constexpr int64_t rounded_product_bytes(int64_t rows, int64_t columns) {
  return 4 * (rows < kBlockRows ? rows : kBlockRows) * rounded_block_stride(columns);
}

}  // namespace headroom
