// What a refused training run could be given instead: other flags under which the same budget holds it, by planning
// each.
#pragma once

#include <string>

#include "headroom/models/model.h"
#include "headroom/runtime/budget.h"
#include "headroom/train/training_request.h"
#include "headroom/train/tuner.h"

namespace headroom {

// Lines for the refusal, each a change that fits `budget` with what it then takes, what costs least first; first those
// that change no numbers. Empty where none of them is enough. `leanest` is the way that was not. Each change costs one
// plan.
std::string what_would_fit(const TrainingRequest& request, const Model& model, int64_t tokenizer_bytes,
                           const Choice& leanest, const Budget& budget);

}  // namespace headroom
