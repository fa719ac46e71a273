// --dump-passes, --disable-pass and --verbose for any job.
#pragma once

#include <string>
#include <vector>

#include "headroom/passes/pass.h"

namespace headroom {

struct TraceSettings {
  std::string directory;              // for the graphs; empty: none
  std::vector<std::string> disabled;  // by name
  bool says_seconds = false;
};

// A trace that leaves out the disabled passes and, if there is a directory, writes there the graph after each pass and
// what the pass changed: 03-step-checkpoint.graph, 03-step-checkpoint.diff.
PassTrace trace_passes(const TraceSettings& settings);

// When all graphs of the job are built: check_disabled(), and where it says seconds a line a pass on standard error:
// its name and what it took.
void finish_trace(const PassTrace& trace, const TraceSettings& settings);

}  // namespace headroom
