// QLoRA (Dettmers et al. 2023, arXiv 2305.14314) keeps frozen weights in a block format. Each node that reads such a
// weight decoded, in the forward, in the backward or where a layer is computed again, gets a decoding of its own right
// before it (the first one has that of the forward), whose f32 weight dies after it. Trades time for memory; lossless:
// what the format costs was decided when the weight took it. Excludes nothing.
#pragma once

#include "headroom/graph/graph.h"

namespace headroom {

// Run after differentiate, whose nodes read weights, too. Throws InternalError where a decoded weight is a result.
Graph decode_per_reader(Graph graph);

}  // namespace headroom
