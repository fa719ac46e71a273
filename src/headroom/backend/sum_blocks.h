// The blocks of the f64 sums (sum, squared_norm) and the scratch that splits them over threads.
#pragma once

#include <cstdint>

#include "headroom/base/bytes.h"

namespace headroom {

inline constexpr int64_t kSumBlock = 1024;
// The tree's complete subtrees of equal size are computed apart, at most so many; their sums wait in scratch.
inline constexpr int64_t kSumSubtrees = 256;

inline int64_t sum_scratch_bytes() { return kSumSubtrees * 8; }

// Elements of such a subtree: the smallest power of two of blocks that leaves at most kSumSubtrees of them.
inline int64_t sum_subtree_elements(int64_t elements) {
  int64_t subtree = kSumBlock;
  while (subtree * kSumSubtrees < elements) subtree *= 2;
  return subtree;
}

}  // namespace headroom
