// The balance loss of experts: behind every gate of a mixture of experts a node that says what its choices cost, added
// to the tokens' losses (ops/balance_losses.h). Not lossless: it is another loss. Runs before the graph is
// differentiated.
#pragma once

#include "headroom/graph/graph.h"

namespace headroom {

// losses f32[T] of a forward whose graph input "sequences" attention takes -> those with what each gate adds to them,
// ascending by layer. Throws InvalidInput where no node of the graph is a gate.
ValueId balance_experts(Graph& graph, ValueId losses, double alpha);

}  // namespace headroom
