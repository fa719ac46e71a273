// The next token of a sequence out of the logits of a step.
#pragma once

#include "headroom/generate/generation_job.h"
#include "headroom/generate/generation_steps.h"
#include "headroom/generate/sampler.h"

namespace headroom {

class TokenPicker {
 public:
  // All borrowed; `workspace` holds the graphs of `shape`.
  TokenPicker(const GenerationSettings& settings, const GenerationShape& shape, const Workspace& workspace);

  // The token that follows those of `sequence`, of which the last feed() took the last as parts[part]. Throws
  // InvalidInput when its logits are no numbers.
  int32_t pick(const GenerationSteps& steps, uint64_t seed, int64_t sequence = 0, size_t part = 0);

 private:
  const GenerationSettings& settings_;
  std::span<int32_t> order_;
};

}  // namespace headroom
