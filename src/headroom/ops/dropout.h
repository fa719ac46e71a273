// Dropout (Srivastava et al. 2014): elements are left out at random, the others grow by a factor. The mask is a
// function of the seed, the step, the place and the element's row in the batch, so that neither threads nor
// micro-batches change it, and the backward makes it again instead of keeping it.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

struct DropoutSettings {
  double rate = 0;    // share of the elements left out, 0 <= rate < 1
  double factor = 1;  // of those that stay
  int64_t site = 0;   // ops/random_key.h
};

// y[t,f] = 0 where the 31 low bits of the word of element (rows[0] + t) * F + f are below rate * 2^31, else x * factor.
// x f32[T, F], random_key i32[4], rows i32[2]: the row of the batch that row 0 is, and T -> f32[T, F].
ValueId dropout(Builder& build, ValueId x, ValueId random_key, ValueId rows, const DropoutSettings& settings);

}  // namespace headroom
