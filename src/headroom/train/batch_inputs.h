// Fills what the host gives the training graphs: rows of data as their task reads them, and the numbers of an update.
#pragma once

#include <vector>

#include "headroom/data/token_batches.h"
#include "headroom/runtime/workspace.h"
#include "headroom/tasks/task.h"
#include "headroom/train/training_graphs.h"

namespace headroom {

class BatchInputs {
 public:
  // Fills the constants of the model, too. `workspace` and `model` are borrowed.
  BatchInputs(const Workspace& workspace, const Model& model, const TrainingShape& shape);

  // Sets the gradient of the loss for the update of step `step` (from 0), 1 / N where N of its predictions count, and
  // returns N. If none counts, the loss and its gradient are 0.
  // `loss_scale` multiplies the gradient (train/loss_scaler.h).
  int64_t begin_update(const TokenBatches& batches, int64_t step, float loss_scale = 1.0f);

  // Tokens, targets, positions and sequences of rows [first_row, first_row + micro_rows) of that step; rows beyond the
  // batch's, and all beyond the last step, are ignored by the loss. Returns the number of predictions that count.
  int64_t fill(const TokenBatches& batches, int64_t step, int64_t first_row);

  // Where the losses of micro-batch `index` of this rank go.
  void set_micro_batch(int64_t index);
  void set_update_scalars(const std::array<float, 3>& scalars);
  // What the random numbers of update `step` (from 1) are made from, where a graph reads it (ops/random_key.h).
  void set_random_key(uint64_t seed, int64_t step);

  // The inputs of an update that has no data, for measuring what it takes.
  void fill_sample();

 private:
  // The row as marked tokens, for rows 0 .. micro_rows - 1 in turn.
  template <class ReadRow>
  int64_t fill_rows(ReadRow&& read_row);

  TrainingShape shape_;
  const Model& model_;
  const Task& task_;
  StepFiller step_;
  View<float> loss_gradient_;
  View<int32_t> loss_range_;
  View<float> update_scalars_;
  View<float> loss_scale_;    // unbound where the loss is not scaled
  View<int32_t> random_key_;  // unbound where nothing is random
  std::vector<int32_t> row_;  // marked tokens of one row
};

}  // namespace headroom
