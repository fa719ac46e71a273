// Outputs written past the caches. An ordinary store first reads the line that it will overwrite; where an output is
// far larger than the caches, that read is a third of all traffic and gains nothing. Where the next op could still find
// the output in a cache, ordinary stores are better, and where it stands in an input's storage, its lines are there
// anyway.
#pragma once

#include <algorithm>

#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"
#include "headroom/backend/streamed_bytes.h"

namespace headroom::HEADROOM_ISA {

// A place in such an output, at a multiple of sixteen elements: `store` takes it like an Element*.
template <class Element>
struct Streamed {
  HEADROOM_INLINE Streamed operator+(int64_t elements) const { return {to + elements}; }
  Element* to;
};
template <class Element>
HEADROOM_INLINE void store(Streamed<Element> place, F32x16 a, Whole) {
  stream(place.to, a);
}
template <class Element>
HEADROOM_INLINE void store(Streamed<Element> place, F32x16 a, int64_t n) {
  store(place.to, a, n);
}

// Whether output 0, and others of its size, are better streamed. `row`: groups begin at its multiples.
inline bool streams_outputs(const Invocation& call, int64_t row) {
  const auto is_input = [&](const Tensor& output) {
    return std::any_of(call.inputs.begin(), call.inputs.end(), [&](const Tensor& x) { return x.data == output.data; });
  };
  return call.outputs[0].type.bytes() > kStreamedBytes && row % kLanes == 0 &&
         std::none_of(call.outputs.begin(), call.outputs.end(), is_input);
}

// Splits [0, count) over the threads and calls body(begin, end, place), where place(output) is what the kernel stores
// that output, of Elements, to: a Streamed or an Element*. Groups of sixteen elements begin at multiples of `row`.
template <class Element = float, class Body>
HEADROOM_INLINE void split_outputs(const Invocation& call, int64_t count, int64_t grain, int64_t row, Body&& body) {
  const bool streams = streams_outputs(call, row);
  call.threads.split(count, grain, [&](int64_t begin, int64_t end, int) {
    if (!streams) return body(begin, end, [](const Tensor& output) { return output.as<Element>(); });
    body(begin, end, [](const Tensor& output) { return Streamed<Element>{output.as<Element>()}; });
    _mm_sfence();  // the streamed lines are in memory before this thread says that it is done
  });
}

// The rows of output 0, which is [rows, row elements].
template <class Element = float, class Body>
HEADROOM_INLINE void split_rows(const Invocation& call, Body&& body) {
  split_outputs<Element>(call, call.outputs[0].dim(0), 1, call.outputs[0].dim(1), body);
}

// The elements of output 0.
template <class Element = float, class Body>
HEADROOM_INLINE void split_output_elements(const Invocation& call, Body&& body) {
  split_outputs<Element>(call, call.outputs[0].elements(), kElementGrain, kElementGrain, body);
}

}  // namespace headroom::HEADROOM_ISA
