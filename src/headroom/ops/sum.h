// Sums of a whole value in f64, whose order does not depend on how the value is cut: blocks of 1024 elements, 16 lanes
// in each, then a balanced binary tree over the blocks.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

inline constexpr int64_t kNormBlock = 1024;  // elements of a block

// sum_i x[i] for x f32 of any shape; f64[1].
ValueId sum(Builder& build, ValueId x);

// sum_i g[i]^2 for g f32 of any shape; f64[1].
ValueId squared_norm(Builder& build, ValueId g);

// The same in two steps, for a g whose blocks lie apart: of each block of g its sum of squares, f64[blocks]; and the
// tree over the sums of all blocks, f64[1].
ValueId squared_norms_of_blocks(Builder& build, ValueId g);
ValueId add_block_sums(Builder& build, ValueId sums);

}  // namespace headroom
