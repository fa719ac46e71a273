// Weights that the model's files hold otherwise than kernels read them are put right when they have come: blocks of
// Q8_0 are regrouped, rows of GGUF's queries and keys reordered, in the memory that they came to. Lossless. Trades a
// pass over the weight in memory for room. Run when fetches are there (passes/offload.h), before prefetch.
#pragma once

#include <string>
#include <unordered_map>

#include "headroom/graph/graph.h"

namespace headroom {

// How a file holds a weight.
struct FileArrangement {
  DType dtype = DType::f32;
  int64_t head_rows = 0;  // as arrange() takes it
};

// Of each weight that is in `arrangements` and is fetched: what is fetched, whole or by panels of rows, goes through
// arrange(). Panels are in order.
Graph arrange_fetched(Graph graph, const std::unordered_map<std::string, FileArrangement>& arrangements);

}  // namespace headroom
