// x W^T in whole numbers, for a weight in a grouped format (base/grouped_format.h).
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// x f32[T, K], weight [N, K] in a grouped format -> f32[T, N]. Each row of x is rounded to 8 bits, group by group of
// the weight; what a group adds is an exact integer times both scales (docs/arithmetic.md). Has no gradient: for
// running models, not for training them.
ValueId matmul_int8(Builder& build, ValueId x, ValueId weight);

}  // namespace headroom
