// The graphs of a training job: what one update runs, and the evaluation beside it. B, D, S, T: as
// techniques/training_settings.h says.
#pragma once

#include <vector>

#include "headroom/graph/graph.h"
#include "headroom/models/model.h"
#include "headroom/passes/append_updates.h"
#include "headroom/passes/pass.h"
#include "headroom/techniques/training_settings.h"

namespace headroom {

// An update is: "zero_gradients" once, "micro" micro_batches - 1 times (both absent for a single micro-batch), then
// "step". With data shards the first comes before each shard, and behind each but the last keep_shard_name() of its
// level (passes/data_shards.h). With two-pass clipping "norm" runs before "step", on the same inputs. Graph inputs that
// the host fills, by name:
//   "tokens", "targets" i32[T] (targets -1: ignored), "positions" i32[T], "sequences" i32[B * D,
//   4], "rotary_table" f32[S - 1, head size], "loss_range" i32[2] (where this micro-batch's losses go: first row,
//   rows), "loss_gradient" f32[1] (1 / predictions that count), "update_scalars" f32[3]; where something is rounded at
//   random "random_key" i32[4]; with two-pass clipping "clip_scale" f32[1], which is the result of that name of "norm".
// Results: of "step", "loss_sum" f64[1] over the update; of "step", or of "norm" where there is one, "gradient_norm"
// f32[1]; of "evaluation", "losses" f32[T].
struct TrainingGraphs {
  std::vector<Graph> graphs;
};

// How often an update runs the graph of that name; 0 for what is beside the updates.
int64_t runs_of(std::string_view graph, const TrainingShape& shape);

// `evaluation`: whether to build that graph. The trace, if any, sees every pass of every graph.
TrainingGraphs build_training_graphs(const Model& model, const TrainingShape& shape, const UpdateSettings& updates,
                                     const TrainingTechniques& techniques, bool evaluation, PassTrace* trace = nullptr);

}  // namespace headroom
