// QLoRA (Dettmers et al. 2023, arXiv 2305.14314): frozen weights in 4 or 8 bits. Each product that reads one, in the
// forward, in the backward or where a layer is computed again, has its own dequantisation right before it, whose f32
// weight dies after it. Trades time and precision for memory: 8 or 2 times less than bf16 weights take. Changes the
// numbers: only on request. Excludes training those weights.
#pragma once

#include <string>
#include <vector>

#include "headroom/ops/dequantize.h"

namespace headroom {

// The weights called `names`, matrices that nothing updates, become the graph inputs of quantized_names(), role weight.
// `bits`: 4 (NF4, doubly quantised) or 8. Run after differentiate: its nodes read weights, too.
Graph quantize_weights(Graph graph, const std::vector<std::string>& names, int bits);

}  // namespace headroom
