// LoRA (Hu et al. 2021, arXiv 2106.09685): linear layers of a model that stays as it is get a product of low rank
// beside them, which alone is trained. Trades the freedom of the update for the memory of gradients and optimizer
// state. Changes what is trained, and so the numbers: only on request. Excludes nothing.
#pragma once

#include <vector>

#include "headroom/ops/lora.h"

namespace headroom {

// For each of `layers`: y = x W^T gains its adapter (ops/lora.h), whose matrices are graph inputs of role weight, and
// alone trained. For a forward graph, before differentiate. With `dropout`, a share of the adapters' inputs is left
// out; the graph has the input "loss_range" then. Throws InternalError when a layer is not in the graph.
Graph insert_lora(Graph graph, const std::vector<LoraLayer>& layers, double dropout = 0);

}  // namespace headroom
