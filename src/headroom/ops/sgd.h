// Stochastic gradient descent: w' = w - lr * g.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// One step, in place: returns w' in weight's storage (declare the carry yourself). weight f32, or bf16
// rounded stochastically; gradient f32, its shape.
// scalars f32[3] as adamw's; only scalars[0], the learning rate, is read. gradient_scale f32[1] or kNoValue multiplies
// the gradient (clipping).
ValueId sgd(Builder& build, ValueId weight, ValueId gradient, ValueId scalars, ValueId gradient_scale = kNoValue);

}  // namespace headroom
