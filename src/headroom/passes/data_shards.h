// Data shards: the batch is S equal parts, and the gradients of the parts are added as a balanced binary tree, in which
// the left part of n is the largest power of two below n (docs/arithmetic.md): what ranks that each have a part can
// reach by adding in pairs. Changes numbers, the same on every machine.
// The parts go one after the other, so of the tree only its partial sums so far are alive, one a level at most:
// bit_width(S - 1) values as large as all gradients, beside the sums of the part that runs.
#pragma once

#include "headroom/plan/job.h"

namespace headroom {

// All take the step as accumulate_gradients leaves it; its sums are those of one shard. Partial sums are carried graph
// inputs "WEIGHT.gradient_part.L", role gradient, of 2^L shards each.

// Levels of partial sums that a tree over `shards` >= 1 leaves needs.
int shard_levels(int64_t shards);

// "keep_shard_1": what runs after a shard, unless it is the last. Adds the partial sums that the shard completes and
// keeps the result at `level`.
Graph keep_shard(const Graph& accumulating, int level);

// The step of the last shard: each weight's gradient is the root of the tree, in the storage of a partial sum.
Graph join_last_shard(Graph accumulating, int64_t shards);

// The update of a job of micro-batches, as add_micro_batches leaves it, becomes that of `shards` >= 2, each a whole
// number of them: zeroed sums for each shard, and a shard that is kept after each but the last.
void add_data_shards(Job& job, int64_t shards);

}  // namespace headroom
