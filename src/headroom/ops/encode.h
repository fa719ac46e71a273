// A weight put into a grouped format, each number to the nearest code.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// weight [N, K] in f32, bf16 or f16 -> [N, K] in `format`, as its encode() has it (base/grouped_format.h). A group with
// an infinity, or one beyond the format's scales, becomes one whose scale is no number.
ValueId encode(Builder& build, ValueId weight, DType format);

}  // namespace headroom
