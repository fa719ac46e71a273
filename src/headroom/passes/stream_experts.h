// Experts that do not fit stay in the model's files: a step reads those that its tokens go to, into slots that keep the
// ones that are needed most (ops/fetch_experts.h). Reading begins when a layer's gate has spoken and goes on beside
// what stands before the experts' products. Lossless. Trades reading for memory, by as much as is asked for.
#pragma once

#include <string>
#include <unordered_set>

#include "headroom/graph/graph.h"

namespace headroom {

inline constexpr const char* kExpertSlots = "expert_slots";

// What of a graph can be streamed.
struct StreamedExperts {
  int64_t layers = 0;        // that have experts among `stacks`
  int64_t experts = 0;       // of each
  int64_t record_bytes = 0;  // of one, in whole pages
  int64_t most = 0;          // that one layer of a step can need: slots that there must be
  int64_t all() const { return layers * experts; }
};
// `stacks`: names of weights. Nothing (no layers) where those of the layers are of different sizes.
StreamedExperts find_streamed_experts(const Graph& graph, const std::unordered_set<std::string>& stacks);

// With so many slots. Leaves a graph without such experts as it is.
Graph stream_experts(Graph graph, const std::unordered_set<std::string>& stacks, int64_t slots);

}  // namespace headroom
