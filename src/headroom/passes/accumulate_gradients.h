// Gradient accumulation: each weight gradient goes on from what earlier micro-batches left, instead of from +0.
// Lossless: the sum over the rows of the batch stays one chain, whose bits do not depend on how the batch was cut.
// Trades one gradient-sized buffer a weight, kept between micro-batches (two where a weight is used twice: each use
// has a chain of its own, and the last micro-batch adds the second to the first where that lies), for activations of a
// micro-batch instead of the whole batch.
#pragma once

#include "headroom/plan/job.h"

namespace headroom {

// Rewrites a differentiated graph. Each use's gradient gains a carried graph input, `WEIGHT.gradient_sum` (then
// `.1`, ...), role gradient, that must be zero before the first micro-batch. Throws InternalError when a gradient is
// made by an op that cannot continue a sum.
Graph accumulate_gradients(Graph graph);

// The graph of all micro-batches but the last: sums only, without the adds that join the uses of a weight.
Graph keep_only_sums(Graph graph);

// A graph of one zero node for each gradient sum of `accumulating`, run before the first micro-batch.
Graph zero_gradient_sums(const Graph& accumulating);

// The update of a job whose last graph is the accumulating step, and whose only row runs it, becomes that of `count` >=
// 2 micro-batches: "zero_gradients", `micro` (which keep_only_sums made of the step) for all but the last, the step.
void add_micro_batches(Job& job, Graph micro, int64_t count);

}  // namespace headroom
