// Activations that the backward reads again are kept in 8 or 4 bits (stochastic rounding) or in bf16 between their last
// reader in the forward and their first in the backward (Chen et al. 2021, "ActNN"; Liu et al. 2022, "GACT"). Lossy:
// the losses of a step are exact, its gradients are not. Trades precision and a little time for memory. Excludes
// nothing; what checkpointing recomputes is not kept, so it is not compressed either, only what is kept is.
#pragma once

#include "headroom/graph/graph.h"

namespace headroom {

// `bits`: 4, 8 or 16 (bf16). Compressed is every value that a node of the forward makes as its first output, f32 with a
// row a token, whose first reader in the backward belongs to a layer: what goes through the head only is
// read at once. Further outputs are statistics of rows (the log-sum-exp of attention), small, and stay exact. Reads the
// graph inputs "tokens", "loss_range" and "random_key". Run after differentiate and checkpoint.
Graph compress_activations(Graph graph, int64_t bits);

// What `graph` keeps compressed, in f32 and as it is.
struct CompressedBytes {
  int64_t f32 = 0;
  int64_t compressed = 0;
};
CompressedBytes compressed_bytes(const Graph& graph);

}  // namespace headroom
