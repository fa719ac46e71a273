// Rows of a mixture of experts: each token once for each expert that it goes to, the rows of an expert together. How
// many there are is known beforehand, whatever the gate says, so no token is dropped and nothing is allocated.
//   T tokens, K experts of each, R = T K rows, E experts, F features
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

struct ExpertRows {
  ValueId order;   // i32[R]: row r is pair order[r] = t K + j of a token and its choice; by expert, then by token
  ValueId places;  // i32[T, K]: the row of each pair
  ValueId begins;  // i32[E + 1]: the first row of each expert, and R
};

// choice i32[T, K] from 0 to E - 1, no expert twice in a row.
ExpertRows group_rows(Builder& build, ValueId choice, int64_t experts);

// y [R, F] (f32, bf16 or f16), weights f32[T, K] -> [T, F]: the sum of a token's rows, each times its weight, a chain
// of fused multiply-adds from +0 over j ascending. Without weights (kNoValue), a chain of additions.
ValueId combine_rows(Builder& build, ValueId y, ValueId places, ValueId weights);

}  // namespace headroom
