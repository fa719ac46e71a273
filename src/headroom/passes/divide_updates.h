// Data-parallel ranks (ZeRO stages 0 to 2, Rajbhandari et al. 2020, section 5): each rank has made the gradients of its
// part of the batch; here they are added over the ranks, and the updates divided among them.
//
//   stage 0   every gradient is added on all ranks (2 n elements of it on the wire, times (D - 1) / D), and every rank
//             makes every update
//   stage 1   a rank adds, and updates with optimizer states of, its part of each weight alone; the parts of the new
//             weights are gathered. Begun when all gradients are there
//   stage 2   the same, begun for each gradient as soon as it is there, so that none waits whole
//
// Exact: gradients are added as the balanced tree that as many data shards on one rank are added in
// (passes/data_shards.h), norms from the same blocks of 1,024 elements. Parts are whole blocks; a weight with fewer
// than kLeastBlocksOfPart of them a rank stays whole, on all ranks the same.
#pragma once

#include "headroom/base/rank_parts.h"
#include "headroom/graph/graph.h"

namespace headroom {

inline constexpr int64_t kLeastBlocksOfPart = 4;

struct DividedUpdates {
  RankPlace place;
  int stage = 0;
  int64_t panel_bytes = 0;      // of what arrives of one gradient at a time, about
  int64_t in_flight_bytes = 0;  // of what may be arriving together beside that; 0: transfers and computation in turn
};

// How a weight is cut, or ranks = 1 where it stays whole.
RankParts parts_of_weight(int64_t elements, int64_t ranks);

// The step as append_updates leaves it; "loss_sum" becomes the sum over all ranks. Optimizer states become parts.
Graph divide_updates(Graph step, const DividedUpdates& settings);

}  // namespace headroom
