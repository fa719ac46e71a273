// Experts that stay in the model's files until a token needs them. A step has room for some: slots, each for one expert
// of any layer, which keep what they hold from step to step. Which expert is where is decided when a layer's gate has
// spoken, by who moves the bytes (runtime/expert_cache.h); the graph only says where that happens.
//   S slots of B bytes, E experts, R rows (ops/expert_rows.h)
#pragma once

#include <vector>

#include "headroom/backend/expert_record.h"
#include "headroom/ops/expert_rows.h"

namespace headroom {

struct FetchedExperts {
  ValueId slots;  // u8[S, B], in the storage of what was given
  ValueId table;  // i32[E]: the slot of each expert that has rows
};

// Begins to read the experts that have rows, and are not in a slot, into slots. `stacks` are in the model's files
// (Tier::model), rows.begins says who has rows; S is no less than can have any. `share`: of a step's experts, those
// that are expected to be in a slot already, for the price.
FetchedExperts fetch_experts(Builder& build, ValueId slots, const std::vector<ValueId>& stacks, const ExpertRows& rows,
                             double share);
// Waits for them.
FetchedExperts fetched_experts(Builder& build, const FetchedExperts& begun);

// As expert_matmul, with matrices in slots.
ValueId slot_matmul(Builder& build, ValueId x, const ExpertRows& rows, const FetchedExperts& experts,
                    const ExpertMatrix& matrix, bool of_tokens);

}  // namespace headroom
