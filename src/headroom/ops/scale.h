// y = x * factor.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// x f32 of any shape -> the same.
ValueId scale(Builder& build, ValueId x, double factor);
// x f32 -> the same in bf16 or f16, rounded to nearest even.
ValueId round_to(Builder& build, ValueId x, DType dtype);

}  // namespace headroom
