// Models that are larger than their memory: weights that do not fit stay in the model's own files, where every step
// reads them ahead of their use. What a step computes is the same.
#pragma once

#include <vector>

#include "headroom/generate/stream_source.h"
#include "headroom/runtime/fit.h"

namespace headroom {

// As fit_job with `ways`, from fastest to leanest. Where none fits, as many weights of `source` (null: none) as must
// stay in the files, by the way that reads the least of them in all its sweeps.
// Where the job `has_disk`, KV caches leave for it before weights do, because of a cache a step reads what is filled;
// and where weights alone are not enough, both. The job's `candidate` is the way that was taken. Throws BudgetExceeded
// with the smallest budget that works.
FittedJob fit_streamed(const std::vector<Candidate>& ways, const StreamSource* source, const Budget& budget,
                       ReserveInputs reserve, bool has_disk = false);

}  // namespace headroom
