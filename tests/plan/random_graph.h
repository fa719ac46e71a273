// Random graphs for fuzzing the planner and its checker.
#pragma once

#include <cstdint>
#include <string>

#include "headroom/graph/graph.h"

namespace headroom::testing {

// A graph that verify() accepts, with in-place chains, outputs that may take an operand's storage, scratch, carried
// inputs, results, outputs that nobody reads, and values of no bytes. Of any two graphs, some inputs have the same
// name and type.
Graph random_graph(uint64_t seed, const std::string& name);

}  // namespace headroom::testing
