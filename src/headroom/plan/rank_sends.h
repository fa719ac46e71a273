// What a rank of a job sends to the others, read off the graphs: which messages a node of the network's lane is
// (runtime/rank_exchange.h) follows from its constants, so no rank has to run for it.
#pragma once

#include <cstdint>
#include <vector>

#include "headroom/graph/graph.h"
#include "headroom/plan/schedule.h"

namespace headroom {

// In bytes, by what is exchanged: parts that all ranks get (ops/gather.h), panels of gradients that go to the ranks
// whose parts they are (ops/scatter.h).
struct RankSends {
  int64_t gather_bytes = 0;
  int64_t scatter_bytes = 0;

  int64_t all_bytes() const { return gather_bytes + scatter_bytes; }
};

// By `rank` in all runs of `schedule`, exactly. Throws InvalidInput on overflow.
RankSends sends_of(const std::vector<Graph>& graphs, const Schedule& schedule, int64_t rank);

}  // namespace headroom
