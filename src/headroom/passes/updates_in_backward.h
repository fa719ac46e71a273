// Updates inside the backward (Lv et al. 2023, "LOMO"; PyTorch's optimizer-in-backward). Lossless: only the order of
// independent nodes changes. Trades nothing: a gradient dies right after its weight's update instead of at the end.
// What forbids it is visible as an edge and simply keeps the update where it is: a clipping factor needs every
// gradient first; a weight that is read once more must wait for that reader.
#pragma once

#include "headroom/graph/graph.h"

namespace headroom {

// Moves each update node to right after the last node it must follow: the producers of its operands and the readers
// of the storage it overwrites. Run last: readers that other passes add (recomputation) must be there.
Graph updates_in_backward(Graph graph);

}  // namespace headroom
