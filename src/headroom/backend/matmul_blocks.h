// The block sizes of CPU products, shared by the ops, which plan the scratch, and the kernels, which fill it.
#pragma once

#include <cstdint>

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

constexpr int64_t product_scratch_bytes(int threads) { return threads * kProductScratchBytes; }

}  // namespace headroom
