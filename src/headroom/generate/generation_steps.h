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
  // `workspace` holds the graphs of `shape` and is borrowed. Fills the rotary table.
  GenerationSteps(Workspace& workspace, const Model& model, const GenerationShape& shape);

  // Runs one step over the first of `tokens`, which follow what the cache holds; returns how many it took. Ids must be
  // in the vocabulary; throws InternalError when the cache is full.
  int64_t feed(std::span<const int32_t> tokens);

  int64_t tokens() const { return tokens_; }  // in the cache
  // Forgets all but the first `tokens`.
  void keep(int64_t tokens);
  // Of the last token that was fed, until the next feed().
  std::span<const float> logits() const { return last_->logits.all(); }
  float lse() const { return *last_->lse; }

 private:
  struct Step {
    int64_t rows = 0;
    Executor* executor = nullptr;
    StepFiller inputs;
    View<int32_t> last_row;
    View<const float> logits;
    View<const float> lse;
  };
  Step& step_for(int64_t tokens);

  int64_t context_;
  std::vector<Step> steps_;  // rows descending
  const Step* last_ = nullptr;
  int64_t tokens_ = 0;
};

}  // namespace headroom
