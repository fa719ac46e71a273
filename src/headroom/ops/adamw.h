// AdamW (Loshchilov and Hutter 2019), as PyTorch's torch.optim.AdamW computes it.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

struct AdamwSettings {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
};

// What the step reads: graph inputs, since they change from step to step.
struct AdamwState {
  ValueId weight = kNoValue;  // f32, or bf16 rounded stochastically; any shape
  ValueId m = kNoValue;       // f32, weight's shape: running mean of the gradient
  ValueId v = kNoValue;       // f32, weight's shape: running mean of its square
};

// One step, in place: returns w', m', v' in the storage of their predecessors (declare the carries yourself).
// gradient f32, weight's shape. scalars f32[3] = (lr, lr/(1 - beta1^t), sqrt(1 - beta2^t)), t = 1 in the first step.
// gradient_scale f32[1] or kNoValue multiplies the gradient (clipping).
//   m' = m + (g - m)(1 - beta1),  v' = beta2 v + (1 - beta2) g^2,
//   w' = w (1 - lr weight_decay) - scalars[1] m' / (sqrt(v') / scalars[2] + eps)
AdamwState adamw(Builder& build, const AdamwState& state, ValueId gradient, ValueId scalars, ValueId gradient_scale,
                 const AdamwSettings& settings);

}  // namespace headroom
