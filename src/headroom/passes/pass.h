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
  bool optional = true;  // false: part of what the job means; it cannot be disabled
};

// What the runner does beside running. Empty by default.
struct PassTrace {
  bool verifies = true;               // the graph, after each pass
  std::vector<std::string> disabled;  // by name
  std::function<void(std::string_view pass, const Graph& before, const Graph& after)> watch;  // after each pass
  std::vector<std::pair<std::string, double>> seconds;                                        // filled: pass, time
  std::vector<std::string> optional;  // filled: names of the passes that could have been disabled
};

// Runs the passes in order. After each the graph is verified; a pass that breaks it is named in the InternalError.
Graph run_passes(Graph graph, const std::vector<Pass>& passes, PassTrace* trace = nullptr);

// After all graphs of a job are built: throws InvalidInput when `disabled` names a pass that no graph could leave out.
void check_disabled(const PassTrace& trace);

}  // namespace headroom
