// A training job fitted into its budget, from the config and the flags alone: what `plan` prints and `train` runs.
#pragma once

#include "headroom/runtime/fit.h"
#include "headroom/train/lr_schedule.h"
#include "headroom/train/training_graphs.h"
#include "headroom/train/training_request.h"

namespace headroom {

// Throws InvalidInput naming the flag that is out of range, or does not fit another or the model.
TrainingSettings read_training_settings(const TrainingRequest& request, const Model& model);

struct FittedTraining : FittedJob {
  TrainingShape shape;  // the batch in the micro-batches that were chosen
};

class TrainingPricing;

// Fits the job into the budget: the fastest way there is within it. `tokenizer_bytes`: what the
// tokenizer that the data are encoded with takes (Tokenizer::memory_bound_bytes), 0 for none. Throws as fit_job does,
// with the flags that would fit (train/what_would_fit.h).
FittedTraining fit_training(const TrainingRequest& request, const Model& model, const Budget& budget,
                            int64_t tokenizer_bytes);

// The same for one of several budgets, with what `pricing` knows from the others, and no word of other flags.
FittedTraining fit_training(TrainingPricing& pricing, const TraceSettings& trace, const Budget& budget);

}  // namespace headroom
