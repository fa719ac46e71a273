// How many numbers of a value are out of the ordinary: what --watch-numerics prints.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// x f32, bf16 or f16 -> f64[5]: how many elements are NaN, infinite, subnormal in x's format (there numbers lose
// digits), zero, and how many there are. With `counts` (f64[5], its storage) they are added to it.
ValueId count_numerics(Builder& build, ValueId x, ValueId counts = kNoValue);

}  // namespace headroom
