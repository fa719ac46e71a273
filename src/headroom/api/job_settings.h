// From the options of the public API to what each job takes: numbers and names checked, once.
#pragma once

#include "headroom/generate/generation_job.h"
#include "headroom/headroom.h"
#include "headroom/train/training_request.h"

namespace headroom {

TraceSettings trace_settings(const RunOptions& options);

// Throws InvalidInput naming the flag that is unknown or out of range.
GenerationSettings generation_settings(const GenerateOptions& options);

TrainingRequest training_request(const TrainOptions& options);

}  // namespace headroom
