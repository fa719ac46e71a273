// Prefetch: transfers begin earlier and are waited for later, in memory that the graph's peak leaves idle, so that the
// disk works while kernels run. Lossless: only the order of independent nodes changes. Trades nothing: no moment needs
// more than the largest one needed before, and `ahead_bytes`, if any are given for it.
#pragma once

#include "headroom/graph/graph.h"
#include "headroom/graph/processor.h"

namespace headroom {

// Moves each load up, behind those before it, and each wait for a store down, as far as the memory of a run on
// `processor` allows, where kernels' scratch is not for transfers. Run after offload.
Graph prefetch(Graph graph, const Processor& processor, int64_t ahead_bytes = 0);

}  // namespace headroom
