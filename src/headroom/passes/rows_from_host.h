// A table of which a step reads a few rows need not be in memory: the host reads them out of the model's files before
// the step runs. Lossless: the rows are what embedding() makes of them. Trades a short read for each token of a step.
#pragma once

#include <string>
#include <string_view>

#include "headroom/graph/graph.h"

namespace headroom {

// Where `table` is read by embedding(), an input f32[T, F] takes the place of that: `prefix`, the name of its ids,
// which are an input of the graph, and kRowsSuffix. Table and ids are no inputs of the graph any more, unless another
// node reads them.
Graph rows_from_host(Graph graph, const std::string& table, std::string_view prefix = "");

}  // namespace headroom
