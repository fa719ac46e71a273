// Fills what a step's graph reads (models/step_inputs.h) in a workspace: tokens with their positions and targets, and
// the sequences that they belong to. The one way in which training, evaluation and generation do it.
#pragma once

#include <span>

#include "headroom/models/step_inputs.h"
#include "headroom/runtime/workspace.h"

namespace headroom {

class StepFiller {
 public:
  // The inputs of a graph of that shape; `workspace` is borrowed.
  StepFiller(const Workspace& workspace, const StepShape& shape);

  int64_t rows() const { return positions_.size(); }

  // The token in row `row` of the step. `target`: what the loss compares the row's prediction with, where the graph has
  // targets; -1: nothing.
  void token(int64_t row, int32_t id, int64_t position, int32_t target = -1);
  // Rows from `row` to `end` hold no token of any sequence. (What a table in files has for them does not matter.)
  void leave_out(int64_t row, int64_t end);

  // Forgets the sequences.
  void begin_sequences() { sequence_count_ = 0; }
  // One more, whose tokens are `tokens` rows from `first_row` on; 0 tokens are no sequence. Throws InternalError when
  // there are more than the shape has.
  void sequence(int64_t first_row, int64_t tokens);
  // The same behind `position` tokens of it that are in the cache, whose first key is in its row `first_key`.
  void cached_sequence(int64_t first_row, int64_t tokens, int64_t first_key, int64_t position);
  // The sequences that the shape has more do nothing.
  void end_sequences();

  std::span<const int32_t> targets() const { return targets_.all(); }
  int64_t targets_that_count() const;

 private:
  void put(int64_t row, int32_t id, int64_t position, int32_t target);

  View<int32_t> tokens_;  // unbound where rows of the table take their place
  View<int32_t> positions_;
  View<int32_t> sequences_;
  View<int32_t> cache_range_;  // unbound without a cache
  View<int32_t> targets_;      // unbound where there is no loss
  View<float> rows_;           // of the embedding's table, unbound where that is in memory
  const Workspace& workspace_;
  int64_t sequence_count_ = 0;
};

}  // namespace headroom
