// Clipping by the norm of all gradients without keeping them: a step becomes two graphs. The first runs forward and
// backward and takes squared norms only, so that each gradient dies at once; the second runs them again, knows the
// factor, and updates inside the backward (Lv et al. 2023, "LOMO", section 3.3). Lossless: the same nodes on the same
// values. Trades a forward and a backward for all gradients but one. Excludes gradient accumulation, whose sums stay
// between micro-batches anyway.
#pragma once

#include "headroom/plan/job.h"

namespace headroom {

// Both take the whole step, as append_updates leaves it. Throw InternalError when it clips nothing by a common norm.

// The first graph, "norm". Changes no state, but leaves the factor in the graph input "clip_scale" f32[1]. Result:
// "gradient_norm" f32[1].
Graph keep_only_norm(Graph step);

// The second: the factor is the graph input "clip_scale", and "gradient_norm" is no result any more.
Graph take_clip_scale(Graph step);

// The update of a job whose last graph is the step, and whose only row runs it, runs `norm` first, on the same inputs.
void add_norm_pass(Job& job, Graph norm);

}  // namespace headroom
