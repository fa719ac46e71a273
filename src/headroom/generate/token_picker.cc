#include "headroom/generate/token_picker.h"

#include <cmath>

#include "headroom/base/errors.h"

namespace headroom {

TokenPicker::TokenPicker(const GenerationSettings& settings, const GenerationShape& shape, const Workspace& workspace)
    : settings_(settings) {
  if (shape.orders_vocabulary) order_ = workspace.view<int32_t>("vocabulary_order").all();
}

int32_t TokenPicker::pick(const GenerationSteps& steps, uint64_t seed, int64_t sequence, size_t part) {
  const int64_t position = steps.tokens(sequence);
  if (!std::isfinite(steps.lse(part))) {
    throw InvalidInput("{}: the logits of token {} are no finite numbers; the weights are damaged", settings_.model,
                       position);
  }
  SamplingSettings sampling = settings_.sampler;
  sampling.seed = seed;
  return Sampler(sampling, order_).pick(steps.logits(part), static_cast<uint64_t>(position));
}

}  // namespace headroom
