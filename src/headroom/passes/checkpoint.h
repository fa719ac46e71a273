// Activation checkpointing (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"). Lossless. Trades
// compute for memory: what some forward nodes made is not kept for the backward, which runs them again just before it
// needs it. Costs at most one more forward of those nodes. Excludes nothing.
#pragma once

#include <vector>

#include "headroom/graph/graph.h"

namespace headroom {

// Runs the marked forward nodes (by index) again in the backward, each once and as late as possible: before its first
// reader there, which may be another such node. Readers in the forward keep the first result. Marked nodes that update
// in place are passed over. Run after differentiate.
Graph recompute(Graph graph, const std::vector<bool>& marked);

// Of every layer (the forward nodes of one segment `layers.N`) all nodes but those whose results the forward reads
// beyond the layer: the residual stream stays, all else is computed again.
Graph checkpoint_layers(Graph graph);

}  // namespace headroom
