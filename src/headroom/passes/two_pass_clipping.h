// Clipping by the norm of all gradients without keeping them: a step becomes two graphs. The first runs forward and
// backward and takes squared norms only, so that each gradient dies at once; the second runs them again, knows the
// factor, and updates inside the backward (Lv et al. 2023, "LOMO", section 3.3). Lossless: the same nodes on the same
// values. Trades a forward and a backward for all gradients but one. Excludes gradient accumulation, whose sums stay
// between micro-batches anyway.
#pragma once

#include "headroom/graph/graph.h"

namespace headroom {

// Both take the whole step, as append_updates leaves it. Throw InternalError when it clips nothing by a common norm.

// The first graph, "norm". Changes no state. Results: "gradient_norm" f32[1] and "clip_scale" f32[1].
Graph keep_only_norm(Graph step);

// The second: the factor is the graph input "clip_scale" f32[1], and "gradient_norm" is no result any more.
Graph take_clip_scale(Graph step);

}  // namespace headroom
