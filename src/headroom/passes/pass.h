// Passes and their runner. A pass is a named function Graph -> Graph with its options bound; the runner verifies the
// graph after each and can dump, diff, time or skip any of them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/graph/graph.h"

namespace headroom {

struct Pass {
  std::string_view name;  // "checkpoint": what --disable-pass and the traces call it
  std::function<Graph(Graph)> rewrite;
};

// What the runner does beside running. Empty by default.
struct PassTrace {
  std::vector<std::string> disabled;                                                          // by name
  std::function<void(std::string_view pass, const Graph& before, const Graph& after)> watch;  // after each pass
  std::vector<std::pair<std::string, double>> seconds;                                        // filled: pass, time
};

// Runs the passes in order. After each the graph is verified; a pass that breaks it is named in the InternalError.
// Throws InvalidInput when `disabled` names a pass that is not in the list.
Graph run_passes(Graph graph, const std::vector<Pass>& passes, PassTrace* trace = nullptr);

}  // namespace headroom
