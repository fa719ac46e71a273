// How far one distribution over the vocabulary is from another (Kullback and Leibler 1951):
//   p = softmax(reference), q = softmax(logits):  kl[t] = sum_v p[t,v] * (log p[t,v] - log q[t,v])
//   T tokens, V vocabulary.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// reference, logits f32[T, V], V >= 1, and their logsumexp f32[T] -> f32[T], in nats. What has probability 0 in the
// reference counts nothing. Has no gradient: it measures.
ValueId kl_divergence(Builder& build, ValueId reference, ValueId reference_lse, ValueId logits, ValueId lse);

}  // namespace headroom
