// y = x * factor.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// x f32 of any shape -> the same.
ValueId scale(Builder& build, ValueId x, double factor);

}  // namespace headroom
