// The global norm of all gradients, and the factor that clips it (Pascanu et al. 2013).
#pragma once

#include <vector>

#include "headroom/graph/builder.h"

namespace headroom {

struct ClipScaleResult {
  ValueId norm;   // f32[1]: sqrt of the sum of the squared norms
  ValueId scale;  // f32[1]: min(1, max_norm / (norm + 1e-6)); 1 when max_norm is 0. A NaN norm gives NaN.
};

// squared_norms: one or more f64[1], added as a balanced binary tree in their order. max_norm >= 0; 0: no clipping.
// With a loss_scale f32[1] the gradients come multiplied by it: norm and scale are divided by it, and where the norm is
// no number, scale is NaN, which makes updates leave everything as it is (train/loss_scaler.h).
ClipScaleResult clip_scale(Builder& build, const std::vector<ValueId>& squared_norms, double max_norm,
                           ValueId loss_scale = kNoValue);

// Lets a clip_scale node make its scale in the storage of `kept` f32[1], a graph input: for a later run to read.
void keep_scale(Node& clip_scale, ValueId kept);

}  // namespace headroom
