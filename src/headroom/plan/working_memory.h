// What a step needs besides the model's states: activations, workspace, inputs. For plans of ranks, where the states
// are divided and this is not.
#pragma once

#include <cstdint>
#include <span>

#include "headroom/graph/graph.h"
#include "headroom/graph/processor.h"

namespace headroom {

struct WorkingMemory {
  int64_t peak_bytes = 0;   // most at any moment of any graph
  int64_t saved_bytes = 0;  // alive when the first node of a backward runs: what a micro-batch in flight keeps
  int64_t cache_bytes = 0;  // keys and values of all positions, which are in neither
};

// Of the graphs of a job on `processor`. States are weights, gradients and the optimizer's.
WorkingMemory working_memory(std::span<const Graph> graphs, const Processor& processor);

}  // namespace headroom
