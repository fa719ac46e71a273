// --data-shards: into how many micro-batches an update is cut with it.
#pragma once

#include "headroom/train/training_request.h"

namespace headroom {

// --grad-accum, or more where that is needed: no micro-batch holds rows of two shards. Throws InvalidInput unless
// --data-shards divides --batch-size, and --grad-accum cuts the shards evenly. batch_size is 1 or more.
int64_t micro_batches_with_shards(const TrainingRequest& options);

}  // namespace headroom
