// How an expert lies in a slot (ops/fetch_experts.h): its matrices one behind the other, each on a page.
//   E experts, N x D a matrix, B bytes of a slot
#pragma once

#include <vector>

#include "headroom/base/shape.h"
#include "headroom/graph/attributes.h"

namespace headroom {

// Where the matrix of an expert stands in a slot.
struct ExpertMatrix {
  Type type;                 // [N, D]
  int64_t offset_bytes = 0;  // on a page
};

// Where those of the stacks [E, N, D] stand, in this order, and what follows the last: B.
struct ExpertRecord {
  std::vector<ExpertMatrix> matrices;
  int64_t bytes = 0;
};
ExpertRecord record_of(const std::vector<Type>& stacks);
// The matrix that a node of slot_matmul reads.
Type matrix_of_slot(const Attributes& attributes);

}  // namespace headroom
