// Sums over the rows of a matrix, one chain a feature (the gradients of a norm's weight and of a bias). Threads split
// the features, and a part of a row is too short for the hardware to foresee: it would prefetch beyond the part, into
// lines that only the others read. So rows to come are asked for, into the second cache (two threads, 768 features:
// 28 GB/s against 16).
#pragma once

#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

// For steps: the line of `element` that they will read eight rows later. A hint: it may lie beyond the matrix.
HEADROOM_INLINE void prefetch_below(const float* element, int64_t features) {
  __builtin_prefetch(element + 8 * features, 0, 2);
}

// sums[f] = step(t, t * F + f, n, sums[f]) for t = 0 .. T-1, sixteen features at once; `x` is [T, F]. The sums go on
// from what they hold with `continues`, from +0 without.
template <class Step>
HEADROOM_INLINE void chain_over_rows(Threads& threads, const Tensor& x, bool continues, float* sums, Step step) {
  const int64_t rows = x.dim(0);
  const int64_t features = x.dim(1);
  threads.split(features, kLanes, [&](int64_t begin, int64_t end, int) {
    if (!continues) std::fill(sums + begin, sums + end, 0.0f);
    for (int64_t t = 0; t < rows; ++t) {
      for_each_group(begin, end,
                     [&](int64_t f, auto n) { store(sums + f, step(t, t * features + f, n, load(sums + f, n)), n); });
    }
  });
}

}  // namespace headroom::HEADROOM_ISA
