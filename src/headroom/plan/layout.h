// Offsets for blocks with lifetimes, so that blocks alive at the same moment never overlap: dynamic storage allocation
// with all requests known (Garey and Johnson's SR2, NP-hard). Greedy best fit in several orders, as TFLite's planner
// does it with one, then a small search from the best of them; integers only, the same answer on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "headroom/plan/lifetimes.h"

namespace headroom {

struct Layout {
  std::vector<int64_t> offsets_bytes;  // of each block, multiples of what all sizes are multiples of
  int64_t size_bytes = 0;              // end of the block that ends last
  int64_t lower_bound_bytes = 0;       // largest sum of live blocks: no layout is smaller
};

// Memory O(blocks); time O(blocks^2) at worst with a small constant, and no more than a fixed number of such rounds.
// The sum of the sizes must fit 63 bits.
Layout lay_out(std::span<const Block> blocks);

}  // namespace headroom
