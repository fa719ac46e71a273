// The loop of kernels that work element by element: sixteen at a time, threads on contiguous ranges.
#pragma once

#include <algorithm>

#include "headroom/backend/cpu/simd.h"

namespace headroom::HEADROOM_ISA {

// Calls body(first, n) for the groups of [begin, end): n is 16, and less in the last.
template <class Body>
HEADROOM_INLINE void for_each_group(int64_t begin, int64_t end, Body&& body) {
  int64_t first = begin;
  for (; first + kLanes <= end; first += kLanes) body(first, kLanes);
  if (first < end) body(first, end - first);
}

// The same for [0, count), split over the threads.
template <class Body>
HEADROOM_INLINE void split_elements(Threads& threads, int64_t count, Body&& body) {
  constexpr int64_t kGrain = 64 * kLanes;
  threads.split(count, kGrain, [&](int64_t begin, int64_t end, int) { for_each_group(begin, end, body); });
}

// The lanes of `then` below n, those of `otherwise` from there on.
HEADROOM_INLINE F32x16 first_lanes(int64_t n, F32x16 then, F32x16 otherwise) {
  return n == kLanes ? then : select(first(n), then, otherwise);
}

}  // namespace headroom::HEADROOM_ISA
