// The gate of a mixture of experts (ops/route.h), token by token: what it says is written once, for every instruction
// set, because a token's experts decide everything after them.
#pragma once

#include "headroom/backend/kernel.h"

namespace headroom {

inline constexpr int64_t kMostExperts = 4096;

enum class Scoring : uint8_t { softmax, sigmoid };

// A token's scores: the softmax or the sigmoid of its logits, f32[experts].
void find_scores(Scoring scoring, const float* logits, int64_t experts, float* scores);

void route_rows(const Invocation& call);
void route_rows_backward(const Invocation& call);
// Rows by expert (ops/expert_rows.h): a counting sort.
void group_expert_rows(const Invocation& call);

}  // namespace headroom
