#include "headroom/train/data_shards.h"

#include "headroom/base/errors.h"

namespace headroom {

int64_t micro_batches_with_shards(const TrainingRequest& options) {
  const int64_t shards = options.data_shards;
  if (shards < 1) throw InvalidInput("--data-shards {}: expected a number of 1 or more", shards);
  if (options.batch_size % shards != 0) {
    throw InvalidInput("--data-shards {}: expected a divisor of --batch-size {}", shards, options.batch_size);
  }
  if (options.grad_accum <= shards) return shards;
  if (options.grad_accum % shards != 0) {
    throw InvalidInput("--grad-accum {}: expected a multiple of --data-shards {}, or less than it", options.grad_accum,
                       shards);
  }
  return options.grad_accum;
}

}  // namespace headroom
