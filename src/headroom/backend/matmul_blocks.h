// The block sizes of CPU products, shared by the ops, which plan the scratch, and the kernels, which fill it.
#pragma once

#include <cstdint>

namespace headroom {

// A thread packs kBlockDepth x kBlockColumns of the right factor (512 KiB: it stays in the second-level cache) and
// kBlockDepth x at most kMostTileRows of the left one (the first level).
inline constexpr int64_t kBlockDepth = 256;
inline constexpr int64_t kBlockColumns = 512;
inline constexpr int64_t kMostTileRows = 14;

inline constexpr int64_t kPackedRightBytes = kBlockDepth * kBlockColumns * 4;
inline constexpr int64_t kPackedLeftBytes = kBlockDepth * kMostTileRows * 4 + 2048;    // packing stores whole vectors
inline constexpr int64_t kProductScratchBytes = kPackedRightBytes + kPackedLeftBytes;  // per thread

constexpr int64_t product_scratch_bytes(int threads) { return threads * kProductScratchBytes; }

}  // namespace headroom
