// AdamW with moments of 8 bits (Dettmers et al. 2022, "8-bit Optimizers via Block-wise Quantization"): codes of the
// dynamic map (base/dynamic_map.h), one scale for 256 elements in a row, 2.03 bytes a parameter instead of 8.
#pragma once

#include "headroom/graph/builder.h"
#include "headroom/ops/adamw.h"

namespace headroom {

// Of a weight of n elements. Zeros mean moments of 0, as in the first step.
struct Adamw8bitState {
  ValueId weight = kNoValue;   // f32, or bf16 rounded stochastically; any shape
  ValueId m = kNoValue;        // u8, weight's shape: running mean of the gradient, signed map
  ValueId m_scale = kNoValue;  // f32[ceil(n / 256)]: the largest magnitude of each block
  ValueId v = kNoValue;        // u8, weight's shape: running mean of its square, unsigned map
  ValueId v_scale = kNoValue;  // f32[ceil(n / 256)]
};

// The types of m and m_scale, which are those of v and v_scale, for a weight of that shape.
Type codes_type(const Shape& weight);
Type scales_type(const Shape& weight);

// One step, in place: returns the new state in the storage of the old (declare the carries yourself). gradient f32,
// weight's shape; scalars and gradient_scale as adamw's, where NaN skips the step. A bf16 weight draws from the graph
// input random_key.
//   m' = (1 - beta1) g + beta1 m,  v' = beta2 v + (1 - beta2) g^2 from the decoded moments, w' from m' and v' before
//   they are encoded, as adamw's.
Adamw8bitState adamw8bit(Builder& build, const Adamw8bitState& state, ValueId gradient, ValueId scalars,
                         ValueId gradient_scale, const AdamwSettings& settings);

}  // namespace headroom
