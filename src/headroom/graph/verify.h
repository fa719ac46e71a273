// The promises every graph keeps; checked after each pass in tests and debug builds, and once before a plan is run.
#pragma once

#include "headroom/graph/graph.h"

namespace headroom {

// Throws InternalError naming the value or node unless:
//   names are unique; every value is a graph input or made by exactly one node, before its readers;
//   operand types fit their op, and outputs have the types the op says;
//   a node that writes into the storage of a value comes after every other reader of what that storage held;
//   a carried value lives in the storage of its input, and no input is carried twice;
//   no input is overwritten unless it is carried;
//   only transfers (ops/transfer.h) touch what is on disk, and nobody a buffer that is not loaded yet.
void verify(const Graph& graph);

}  // namespace headroom
