// Sums over the rows of a matrix, one chain a feature (the gradients of a norm's weight and of a bias). Threads split
// the features, and then take eight rows at a time: were each to walk along its part of one row, the hardware would
// prefetch beyond that part, into lines that only the others read (two threads: 16 GB/s against 33).
#pragma once

#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

// sums[f] = step(t, t * F + f, n, sums[f]) for t = 0 .. T-1, sixteen features at once; `x` is [T, F]. The sums go on
// from what they hold with `continues`, from +0 without.
template <class Step>
HEADROOM_INLINE void chain_over_rows(Threads& threads, const Tensor& x, bool continues, float* sums, Step step) {
  const int64_t rows = x.dim(0);
  const int64_t features = x.dim(1);
  const int64_t block = threads.count() == 1 ? 1 : 8;
  threads.split(features, kLanes, [&](int64_t begin, int64_t end, int) {
    if (!continues) std::fill(sums + begin, sums + end, 0.0f);
    for (int64_t first = 0; first < rows; first += block) {
      const int64_t last = std::min(first + block, rows);
      for_each_group(begin, end, [&](int64_t f, auto n) {
        F32x16 chain = load(sums + f, n);
        for (int64_t t = first; t < last; ++t) chain = step(t, t * features + f, n, chain);
        store(sums + f, chain, n);
      });
    }
  });
}

}  // namespace headroom::HEADROOM_ISA
