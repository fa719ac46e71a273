// Offload: values live on disk, or in the host's memory behind a device, and pass through memory when nodes need them
// (Rajbhandari et al. 2021, "ZeRO-Infinity"; Ren et al. 2021, "ZeRO-Offload", section 4.1). Lossless. Trades traffic
// for memory, by as much as is asked for. Excludes nothing; run last, when the order of the nodes is final.
//
// A value that leaves is away between visits: runs of nodes that touch it, close together. It is loaded before a visit
// and stored after one that changed it. An update is done panel by panel where the op can (Op::panel_unit), so that
// moments, weights and gradients that wait for the norm never come to memory whole.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "headroom/graph/graph.h"

namespace headroom {

// Which values may leave the memory.
struct OffloadKinds {
  bool optimizer = false;    // the optimizer's state, and gradients that wait for their update or are summed up
  bool activations = false;  // what the forward keeps for the backward
  bool weights = false;      // then read for the forward, for the backward, and for the update
  bool any() const { return optimizer || activations || weights; }
};

struct OffloadSettings {
  OffloadKinds kinds;
  double share = 0;     // of the bytes of these kinds, that leaves the memory at least: 0 to 1
  bool overlap = true;  // of transfers and computation, for memory of three panels or more instead of one
  Tier to = Tier::disk;
};

// What leaves, decided once on the graph of the step and applied to all graphs of the job, so that they agree.
struct OffloadPlan {
  std::unordered_set<std::string> values;  // by name: graph inputs, and the first value of other storages
  int64_t panel_bytes = 0;                 // of the widest operand of an update, about
  // Of an update, how much is read ahead of the panel that is computed, and as much may still be written behind it: at
  // least a panel, so that the disk works beside the computation; 0: one transfer at a time.
  int64_t in_flight_bytes = 0;
  Tier to = Tier::disk;
};

// Takes values one by one until the share has left, in this order: optimizer state, gradients, activations (those away
// for longest first), weights; within a kind small ones first. A larger share takes a superset. With 0 the plan is
// empty.
OffloadPlan plan_offload(const Graph& step, const OffloadSettings& settings);

// Any graph of the job. Without a value of the plan it is left as it is, as are values that are away already.
Graph offload(Graph graph, const OffloadPlan& plan);

}  // namespace headroom
