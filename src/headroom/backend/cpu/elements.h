// The loop of kernels that work element by element: sixteen at a time, threads on contiguous ranges.
#pragma once

#include <algorithm>

#include "headroom/backend/cpu/simd.h"

namespace headroom::HEADROOM_ISA {

// Sixteen elements, known when compiling: a group of that many is loaded and stored without a mask, which on AVX2 is
// four times as fast.
struct Whole {
  constexpr operator int64_t() const { return kLanes; }
};
template <class Element>
HEADROOM_INLINE F32x16 load(const Element* from, Whole) {
  return load(from);
}
template <class Element>
HEADROOM_INLINE void store(Element* to, F32x16 a, Whole) {
  store(to, a);
}

// Calls body(first, n) for the groups of [begin, end): n is Whole, and in the last an int64_t from 1 to 15.
template <class Body>
HEADROOM_INLINE void for_each_group(int64_t begin, int64_t end, Body&& body) {
  int64_t first = begin;
  for (; first + kLanes <= end; first += kLanes) body(first, Whole());
  if (first < end) body(first, end - first);
}

// Elements that a thread takes at least.
inline constexpr int64_t kElementGrain = 64 * kLanes;

// The same for [0, count), split over the threads; every group begins at a multiple of sixteen.
template <class Body>
HEADROOM_INLINE void split_elements(Threads& threads, int64_t count, Body&& body) {
  threads.split(count, kElementGrain, [&](int64_t begin, int64_t end, int) { for_each_group(begin, end, body); });
}

// The lanes of `then` below n, those of `otherwise` from there on.
HEADROOM_INLINE F32x16 first_lanes(Whole, F32x16 then, F32x16) { return then; }
HEADROOM_INLINE F32x16 first_lanes(int64_t n, F32x16 then, F32x16 otherwise) {
  return n == kLanes ? then : select(first(n), then, otherwise);
}

}  // namespace headroom::HEADROOM_ISA
