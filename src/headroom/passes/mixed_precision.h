// Mixed precision (Micikevicius et al. 2018): activations, what the backward keeps of them and their gradients in bf16
// or f16; weights, their gradients and the optimizer's state in f32. Lossy. Products read weights in f32 and round them
// while they pack them, so no 16-bit copy of a weight exists. In f32 stay: sums, statistics of norms, softmax and its
// log-sum-exp, rotary tables, losses, and everything between an op's loads and its one rounding store.
#pragma once

#include "headroom/graph/graph.h"

namespace headroom {

// Rewrites a forward graph: embeddings make `dtype`, bf16 or f16, and whatever flows from them follows. Run it before
// differentiate. Throws InvalidInput when an op on the way cannot.
Graph mixed_precision(Graph graph, DType dtype);

}  // namespace headroom
