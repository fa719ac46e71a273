// --offload, --disk and --disk-limit of a training job.
#pragma once

#include <string>
#include <vector>

#include "headroom/passes/offload.h"
#include "headroom/plan/job.h"
#include "headroom/train/training_request.h"

namespace headroom {

// What may leave the memory, from the least to the most: nothing, more and more of it, all of it, and last all of it
// without overlap of transfers and computation, in the least memory. Only nothing without --disk; all of what --offload
// names, where it does. Throws InvalidInput for an unknown --offload, and where it or --disk-limit needs a --disk that
// is not given.
std::vector<OffloadSettings> offload_choices(const TrainingRequest& options);

// "3/16 of what can leave on disk"; nothing for nothing.
std::string describe(const OffloadSettings& choice);

// Throws BudgetExceeded where the plan needs more than --disk-limit.
void check_disk_limit(const TrainingRequest& options, const Plan& plan);

}  // namespace headroom
