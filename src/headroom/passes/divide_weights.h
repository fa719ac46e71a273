// ZeRO stage 3 (Rajbhandari et al. 2020, section 5.3): a rank keeps its part of each weight, and has the whole only
// while a layer uses it: gathered before, given up after, gathered again for the backward. Exact: the same weights.
// Trades traffic for memory: a weight crosses the wire once a visit instead of once an update.
//
// A visit is the nodes of one segment and phase that use a weight. Gathers begin ahead of their visits, as far as what
// has arrived early fits `ahead_bytes`; 0: when the visit begins.
#pragma once

#include "headroom/passes/divide_updates.h"

namespace headroom {

// Any graph of a job whose step divide_updates has rewritten. Weights that are cut become parts, frozen ones as well,
// where their format has one number an element.
Graph divide_weights(Graph graph, const RankPlace& place, int64_t ahead_bytes);

}  // namespace headroom
