// --dump-passes, --disable-pass and --verbose for any job.
#pragma once

#include "headroom/headroom.h"
#include "headroom/passes/pass.h"

namespace headroom {

// A trace that leaves out options.disable_passes and, if options.dump_passes names a directory, writes there the graph
// after each pass and what the pass changed: 03-step-checkpoint.graph, 03-step-checkpoint.diff.
PassTrace trace_passes(const RunOptions& options);

// When all graphs of the job are built: check_disabled(), and with options.verbose a line a pass on standard error: its
// name and what it took.
void finish_trace(const PassTrace& trace, const RunOptions& options);

}  // namespace headroom
