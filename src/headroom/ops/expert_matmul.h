// Products of rows with the matrices of their experts.
//   T tokens, K experts of each, R = T K rows (ops/expert_rows.h), E experts, N x D a matrix
#pragma once

#include "headroom/ops/expert_rows.h"

namespace headroom {

// stack [E, N, D] in a weight's format, of block formats one whose rows lie in whole panels for each expert.
// x [R, D], grouped by expert, or with `of_tokens` [T, D], of which row r is that of its token; f32, bf16 or f16.
// -> [R, N]: row r times the transposed matrix of its expert, each element the chain of matmul's.
ValueId expert_matmul(Builder& build, ValueId x, const ExpertRows& rows, ValueId stack, bool of_tokens);

}  // namespace headroom
