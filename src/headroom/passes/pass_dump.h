// --dump-passes and --disable-pass for any job.
#pragma once

#include "headroom/headroom.h"
#include "headroom/passes/pass.h"

namespace headroom {

// A trace that leaves out options.disable_passes and, if options.dump_passes names a directory, writes there the graph
// after each pass and what the pass changed: 03-step-checkpoint.graph, 03-step-checkpoint.diff.
PassTrace trace_passes(const RunOptions& options);

}  // namespace headroom
