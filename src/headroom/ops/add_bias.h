// y[t,f] = x[t,f] + b[f]: the bias of a linear layer.
//   T tokens, F features.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// x f32[T, F], bias [F] in f32, bf16 or f16 -> f32[T, F]. The gradient of x is the output's own, that of the bias the
// sum of its rows (op bias_gradient): one chain of additions a feature.
ValueId add_bias(Builder& build, ValueId x, ValueId bias);

}  // namespace headroom
