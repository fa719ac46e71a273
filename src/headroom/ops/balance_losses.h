// What a gate that favours some experts costs in training (DeepSeek-AI 2024, arXiv 2412.19437 section 2.1.2, the
// sequence-wise balance loss).
//   T tokens, E experts, K chosen, B sequences
#pragma once

#include "headroom/backend/route_rows.h"
#include "headroom/graph/builder.h"

namespace headroom {

// logits f32[T, E] and choice i32[T, K] of route(), sequences i32[B, 4] as attention takes them -> f32[T]: of token t
//   alpha * sum_e f[e] * p[t,e],  f[e] = E / (K n) * how often the n tokens of t's sequence have chosen e,
// p the scores over their sum. Its mean over a sequence is the paper's alpha * sum_e f[e] P[e]. Tokens in no sequence
// have 0. The gradient of the result is one number for all tokens, f32[1], as linear_cross_entropy's; it flows through
// p alone.
ValueId balance_losses(Builder& build, ValueId logits, ValueId choice, ValueId sequences, Scoring scoring,
                       double alpha);

}  // namespace headroom
