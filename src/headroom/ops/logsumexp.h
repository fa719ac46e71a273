// lse[t] = log sum_v exp(logits[t,v]): what turns logits into log-probabilities.
//   T tokens, V vocabulary.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// logits f32[T, V], V >= 1 -> f32[T]. Has no gradient: training takes linear_cross_entropy.
ValueId logsumexp(Builder& build, ValueId logits);

}  // namespace headroom
