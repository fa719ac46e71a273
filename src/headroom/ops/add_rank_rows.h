// The versions that ranks have of a value, added as a balanced tree in the order of the ranks, in which the left part
// of n is the largest power of two below n: the order that shards of a batch are added in (docs/arithmetic.md).
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// The rows of `rows` f32[D, p], added, as elements [first, first + p) of a new f32[elements], whose others are not yet
// written: the first panel of it.
ValueId add_rank_rows(Builder& build, ValueId rows, int64_t first, int64_t elements);
// The same into `target`, f32 of any shape, whose other elements stay. The result takes target's storage and role.
ValueId add_rank_rows_into(Builder& build, ValueId target, ValueId rows, int64_t first);

}  // namespace headroom
