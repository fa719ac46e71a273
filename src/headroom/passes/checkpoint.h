// Activation checkpointing of every layer (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost").
// Lossless. Trades compute for memory: what the backward reads from a layer's inside is computed again from the layer's
// input, just before it is needed. Costs at most one more forward of the layers. Excludes nothing.
#pragma once

#include "headroom/graph/graph.h"

namespace headroom {

// Segments are the runs of forward nodes of one scope `layers.N`. Values that a later segment's forward reads (the
// residual stream) stay; all else that the backward reads is recomputed. Run after differentiate.
Graph checkpoint_layers(Graph graph);

}  // namespace headroom
