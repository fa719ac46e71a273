// Tokens into the KV cache and logits out of it: which step runs for how many tokens, and the integers that tell it
// where they go.
#pragma once

#include <span>
#include <vector>

#include "headroom/generate/generation_graphs.h"
#include "headroom/runtime/workspace.h"
#include "headroom/tasks/step_filler.h"

namespace headroom {

class GenerationSteps {
 public:
  // Tokens of a sequence, behind what the cache holds of it.
  struct Part {
    int64_t sequence = 0;
    std::span<const int32_t> tokens;
  };

  // `workspace` holds the graphs of `shape` and is borrowed. Fills the rotary table.
  GenerationSteps(Workspace& workspace, const Model& model, const GenerationShape& shape);

  // Runs one step over the first tokens of the parts, each of another sequence and none empty, and leaves in each those
  // that it did not take: earlier parts go before later ones. Ids must be in the vocabulary; throws InternalError when
  // the cache of a sequence is full.
  void feed(std::span<Part> parts);
  // The same for one; returns how many tokens it took.
  int64_t feed(std::span<const int32_t> tokens, int64_t sequence = 0);

  // In the cache.
  int64_t tokens(int64_t sequence = 0) const { return tokens_[static_cast<size_t>(sequence)]; }
  // Forgets all but the first `tokens`.
  void keep(int64_t tokens, int64_t sequence = 0);
  // Of the last token of parts[part] that the last feed() took, until the next.
  std::span<const float> logits(size_t part = 0) const;
  float lse(size_t part = 0) const { return last_->lse[static_cast<int64_t>(part)]; }

 private:
  struct Step {
    int64_t rows = 0;
    int64_t sequences = 0;
    Executor* executor = nullptr;
    StepFiller inputs;
    View<int32_t> last_rows;
    View<const float> logits;
    View<const float> lse;
  };
  Step& step_for(int64_t tokens);

  int64_t context_;
  int64_t sequence_rows_;    // of the cache
  std::vector<Step> steps_;  // rows descending
  const Step* last_ = nullptr;
  std::vector<int64_t> tokens_;  // of each sequence
};

}  // namespace headroom
