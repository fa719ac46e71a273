// Fills the integer inputs of the training graphs, in the arena.
#pragma once

#include <vector>

#include "headroom/runtime/workspace.h"
#include "headroom/train/token_batches.h"
#include "headroom/train/training_graphs.h"

namespace headroom {

class BatchInputs {
 public:
  // Fills what never changes: positions, sequences, the rotary table, the gradient of the loss. `workspace` is
  // borrowed.
  BatchInputs(const Workspace& workspace, const Model& model, const TrainingShape& shape);

  // Tokens and targets of rows [first_row, first_row + micro_rows) of step `step` (from 0); rows beyond the batch's are
  // ignored by the loss. Returns the number of predictions.
  int64_t fill(const TokenBatches& batches, int64_t step, int64_t first_row);

  // Where the losses of micro-batch `index` go.
  void set_micro_batch(int64_t index);
  void set_update_scalars(const std::array<float, 3>& scalars);

 private:
  TrainingShape shape_;
  std::span<int32_t> tokens_;
  std::span<int32_t> targets_;
  std::span<int32_t> loss_range_;
  std::span<float> update_scalars_;
  std::vector<int32_t> row_;
};

}  // namespace headroom
