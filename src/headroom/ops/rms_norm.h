// RMSNorm (Zhang and Sennrich 2019):  y[t,f] = (x[t,f] * r[t]) * w[f],  r[t] = 1 / sqrt(mean_f x[t,f]^2 + eps)
//   T tokens, F features. r is kept for the backward: 4 bytes a token instead of a second copy of y.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

struct RmsNormResult {
  ValueId y;  // f32[T, F]
  ValueId r;  // f32[T]
};

// x f32[T, F], weight [F] in f32, bf16 or f16.
RmsNormResult rms_norm(Builder& build, ValueId x, ValueId weight, double eps);

// With g = dy*w and c = sum_f g*x:  dx = g*r - x * r^3 * c/F.  f32[T, F].
ValueId rms_norm_backward(Builder& build, ValueId x, ValueId weight, ValueId r, ValueId dy);

// dw[f] = sum_t dy[t,f] * x[t,f] * r[t], one chain over the rows, from +0 or from `sum` (in its storage). f32[F].
ValueId rms_norm_weight_gradient(Builder& build, ValueId x, ValueId r, ValueId dy, ValueId sum = kNoValue);

}  // namespace headroom
