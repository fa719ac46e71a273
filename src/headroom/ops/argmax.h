// top[t] = the v with the largest x[t,v]; of equal ones the first. T rows, V columns.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// x f32[T, V], V >= 1 -> i32[T]; 0 for a row with a NaN. Has no gradient.
ValueId argmax(Builder& build, ValueId x);

}  // namespace headroom
