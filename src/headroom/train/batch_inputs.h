// Fills the integer inputs of the training graphs, in the arena.
#pragma once

#include <vector>

#include "headroom/data/token_batches.h"
#include "headroom/runtime/workspace.h"
#include "headroom/train/training_graphs.h"

namespace headroom {

class BatchInputs {
 public:
  // Fills the rotary table, which never changes. `workspace` is borrowed.
  BatchInputs(const Workspace& workspace, const Model& model, const TrainingShape& shape);

  // Sets the gradient of the loss for the update of step `step` (from 0), 1 / N where N of its predictions count, and
  // returns N. If none counts, the loss and its gradient are 0.
  // `loss_scale` multiplies the gradient (train/loss_scaler.h).
  int64_t begin_update(const TokenBatches& batches, int64_t step, float loss_scale = 1.0f);

  // Tokens, targets, positions and sequences of rows [first_row, first_row + micro_rows) of that step; rows beyond the
  // batch's are ignored by the loss. Returns the number of predictions that count.
  int64_t fill(const TokenBatches& batches, int64_t step, int64_t first_row);

  // Where the losses of micro-batch `index` go.
  void set_micro_batch(int64_t index);
  void set_update_scalars(const std::array<float, 3>& scalars);
  // What the random numbers of update `step` (from 1) are made from, where a graph reads it (ops/random_key.h).
  void set_random_key(uint64_t seed, int64_t step);

 private:
  void fill_row(int64_t row);
  void add_sequence(int64_t first_token, int64_t queries);

  TrainingShape shape_;
  std::span<int32_t> tokens_;
  std::span<int32_t> targets_;
  std::span<int32_t> positions_;
  std::span<int32_t> sequences_;
  std::span<float> loss_gradient_;
  std::span<int32_t> loss_range_;
  std::span<float> update_scalars_;
  std::span<float> loss_scale_;    // empty where the loss is not scaled
  std::span<int32_t> random_key_;  // empty where nothing is random
  std::vector<int32_t> row_;       // marked tokens of one row
  int64_t sequence_count_ = 0;     // filled in sequences_
};

}  // namespace headroom
