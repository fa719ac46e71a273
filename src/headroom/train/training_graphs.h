// The graphs of a training job: what one update runs, and the evaluation beside it. B, D, S, T: as
// techniques/training_settings.h says.
#pragma once

#include <vector>

#include "headroom/graph/graph.h"
#include "headroom/models/model.h"
#include "headroom/passes/append_updates.h"
#include "headroom/passes/pass.h"
#include "headroom/plan/job.h"
#include "headroom/techniques/training_settings.h"

namespace headroom {

// A training job: graphs, and the schedules "update" and, if wanted, "evaluation". An update is one row, "step", until
// it is cut into micro-batches (passes/accumulate_gradients.h) and techniques rewrite it (TrainingWay). A row that the
// host fills takes the next micro-batch. Graph inputs that the host fills, by name:
//   for a micro-batch "tokens", "targets" i32[T] (targets -1: ignored), "positions" i32[T], "sequences" i32[B * D, 4],
//   "loss_range" i32[2] (where its losses go: first row, rows); for an update "loss_gradient" f32[1] (1 / predictions
//   that count), "update_scalars" f32[3], "loss_scale" f32[1] and "random_key" i32[4] where they are used; once
//   "rotary_table" f32[S - 1, head size].
// Results that it reads: of an update "loss_sum" f64[1] and "gradient_norm" f32[1], of an evaluation "losses" f32[T].
//
// The trace, if any, sees every pass of every graph.
Job build_training_job(const Model& model, const TrainingWay& way, const UpdateSettings& updates, bool evaluation,
                       PassTrace* trace = nullptr);

// The same in two steps: all but where values live, which is JobPhase::residence, and that.
Job build_resident_job(const Model& model, const TrainingWay& way, const UpdateSettings& updates, bool evaluation,
                       PassTrace* trace);
void settle_residence(Job& job, const TrainingWay& way, PassTrace* trace);

}  // namespace headroom
