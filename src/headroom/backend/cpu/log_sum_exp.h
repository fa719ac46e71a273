// log sum_v exp(logit[v]) of a row, in tiles of the vocabulary, and its gradient: what logsumexp and the loss heads
// share.
#pragma once

#include <type_traits>

#include "headroom/backend/cpu/simd.h"
#include "headroom/backend/vocabulary_tiles.h"

namespace headroom::HEADROOM_ISA {

HEADROOM_INLINE float first_lane(F32x16 a) {
  alignas(64) float lanes[16];
  store(lanes, a);
  return lanes[0];
}

// sum_v exp(logit[v]) = exp(max) * sum.
struct MaxAndSum {
  float max;
  float sum;
};

// Of one tile, 1 <= count <= kVocabularyTile.
HEADROOM_INLINE MaxAndSum max_and_sum(const float* logits, int64_t count) {
  const int64_t whole = count / 16 * 16;
  const int64_t rest = count - whole;
  const F32x16 lowest(-__builtin_inff());
  F32x16 largest = lowest;
  for (int64_t v = 0; v < whole; v += 16) largest = max(largest, load(logits + v));
  if (rest > 0) largest = max(largest, select(first(rest), load(logits + whole, rest), lowest));
  const float row_max = max_of(largest);
  F32x16 sums(0.0f);
  for (int64_t v = 0; v < whole; v += 16) sums = sums + exp(load(logits + v) - row_max);
  if (rest > 0) sums = select(first(rest), sums + exp(load(logits + whole, rest) - row_max), sums);
  return {row_max, sum(sums)};
}

// Of the columns of both; `left` are those before `right`.
HEADROOM_INLINE MaxAndSum merge(const MaxAndSum& left, const MaxAndSum& right) {
  const F32x16 largest = max(F32x16(left.max), F32x16(right.max));
  const F32x16 sums = left.sum * exp(left.max - largest) + right.sum * exp(right.max - largest);
  return {first_lane(largest), first_lane(sums)};
}

HEADROOM_INLINE float log_sum_exp(const MaxAndSum& whole) { return first_lane(whole.max + log(F32x16(whole.sum))); }

// Rounds a row to the Elements at its own place.
template <class Element>
HEADROOM_INLINE void round_row(float* row, int64_t width) {
  if constexpr (std::is_same_v<Element, float>) return;
  Element* to = reinterpret_cast<Element*>(row);
  int64_t v = 0;
  for (; v + 16 <= width; v += 16) store(to + v, load(row + v));
  if (v < width) store(to + v, load(row + v, width - v), width - v);
}

// Turns a row of logits into the gradients of them; `target` is an index into the row, or none of it.
HEADROOM_INLINE void differentiate_logits(float* logits, int64_t width, int64_t target, float lse, float scale) {
  const bool has_target = target >= 0 && target < width;
  const float of_target = has_target ? logits[target] : 0.0f;
  int64_t v = 0;
  for (; v + 16 <= width; v += 16) store(logits + v, exp(load(logits + v) - lse) * scale);
  if (v < width) store(logits + v, exp(load(logits + v, width - v) - lse) * scale, width - v);
  if (has_target) logits[target] = first_lane((exp(F32x16(of_target) - lse) - 1.0f) * scale);
}

}  // namespace headroom::HEADROOM_ISA
