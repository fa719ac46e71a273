// Sums over the rows of a matrix, one chain a feature (the gradients of a norm's weight and of a bias). Threads split
// the features, and a part of a row is too short for the hardware to foresee: it would prefetch beyond the part, into
// lines that only the others read. So rows to come are asked for, into the second cache (two threads, 768 features:
// 28 GB/s against 16).
#pragma once

#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

// sums[f] = step(t, t * F + f, n, sums[f]) for t = 0 .. T-1, sixteen features at once. The sums go on from what they
// hold with `continues`, from +0 without. `matrices` are those that the step reads at t * F + f, each [T, F].
template <size_t kMatrices, class Step>
HEADROOM_INLINE void chain_over_rows(Threads& threads, const Tensor (&matrices)[kMatrices], bool continues, float* sums,
                                     Step step) {
  constexpr int64_t kRowsAhead = 8;
  const int64_t rows = matrices[0].dim(0);
  const int64_t features = matrices[0].dim(1);
  threads.split(features, kLanes, [&](int64_t begin, int64_t end, int) {
    if (!continues) std::fill(sums + begin, sums + end, 0.0f);
    const bool asks = end - begin < features;
    for (int64_t t = 0; t < rows; ++t) {
      const int64_t row = t * features;
      const int64_t ahead = row + kRowsAhead * features;
      for_each_group(begin, end, [&](int64_t f, auto n) {
        for (const Tensor& x : matrices) {
          // It may lie beyond the matrix.
          if (asks) __builtin_prefetch(x.data + (ahead + f) * size_of(x.type.dtype), 0, 2);
        }
        store(sums + f, step(t, row + f, n, load(sums + f, n)), n);
      });
    }
  });
}

}  // namespace headroom::HEADROOM_ISA
