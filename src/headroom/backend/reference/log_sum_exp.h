// log sum_v exp(logit[v]) of a row, in tiles of the vocabulary: what logsumexp and the loss head share.
#pragma once

#include "headroom/backend/reference/scalar.h"
#include "headroom/backend/vocabulary_tiles.h"

namespace headroom::reference {

// sum_v exp(logit[v]) = exp(max) * sum.
struct MaxAndSum {
  float max;
  float sum;
};

// Of one tile, 1 <= count <= kVocabularyTile.
inline MaxAndSum max_and_sum(const float* logits, int64_t count) {
  float largest = logits[0];
  for (int64_t v = 1; v < count; ++v) largest = max(largest, logits[v]);
  return {largest, sum_16_lanes(count, [&](int64_t v, float lane) { return lane + exp(logits[v] - largest); })};
}

// Of the columns of both; `left` are those before `right`.
inline MaxAndSum merge(const MaxAndSum& left, const MaxAndSum& right) {
  const float largest = max(left.max, right.max);
  return {largest, left.sum * exp(left.max - largest) + right.sum * exp(right.max - largest)};
}

}  // namespace headroom::reference
