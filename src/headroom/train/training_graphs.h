// The graphs of a training job: what one update runs, and the evaluation beside it.
//   B rows of a micro-batch, S tokens a row (S - 1 predictions; R = S - 1 places, or one more, below), T = B * R, N
//   predictions of an update, D documents of a row that attention keeps apart.
#pragma once

#include <vector>

#include "headroom/graph/graph.h"
#include "headroom/models/model.h"
#include "headroom/passes/append_updates.h"
#include "headroom/passes/offload.h"
#include "headroom/passes/pass.h"
#include "headroom/train/lora_training.h"

namespace headroom {

struct TrainingShape {
  int64_t micro_rows = 0;     // rows of one micro-batch
  int64_t micro_batches = 1;  // of one update
  int64_t seq_len = 0;
  // D: 1, or with isolated documents seq_len / 2, since each one that counts has two tokens or more.
  int64_t documents_per_row = 1;
  int64_t data_shards = 1;  // of an update; each is the same whole number of micro-batches

  int64_t micro_batches_per_shard() const { return micro_batches / data_shards; }
  LoraTraining lora = {};  // what is trained, where it is not all weights

  // Of activations, what is kept of them, and products: f32, bf16 or f16.
  DType precision = DType::f32;
  DType weights = DType::f32;  // or bf16
  bool watch_numerics = false;

  // Products of bf16 take pairs of tokens. Rows have an even number of places then, a last one that predicts nothing,
  // so that no pair is cut wherever the batch is.
  int64_t row_places() const { return seq_len - 1 + (precision == DType::bf16 ? (seq_len - 1) % 2 : 0); }
  int64_t micro_tokens() const { return micro_rows * row_places(); }
  int64_t predictions() const { return micro_tokens() * micro_batches; }
};

// The techniques a training run can choose from: lossless but for compress_bits, which the user asks for.
struct TrainingTechniques {
  bool checkpoint_layers = false;
  double recompute_depth = 0;  // without that: how far to go with what is computed again (plan/recompute_choice.h)
  bool fuse_loss_gradients = false;
  bool two_pass_clipping = false;  // needs UpdateSettings::grad_clip, not clip_tensors, and a single micro-batch
  int64_t compress_bits = 0;       // what activations are kept in between forward and backward: 16, 8 or 4; 0: f32
  OffloadSettings offload = {};
};

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
