// The optimizer as nodes: the gradient norm, the clipping factor and one update a weight, at the end of the graph.
// The mathematics of training, not a memory technique; updates_in_backward moves the updates where gradients die early.
#pragma once

#include "headroom/graph/graph.h"

namespace headroom {

// adamw8bit: weights of fewer than kLeast8bitElements elements keep moments of 32 bits, which are a rounding error of
// the whole and noisy where one block is all.
enum class Optimizer : uint8_t { adamw, adamw8bit, sgd };
inline constexpr int64_t kLeast8bitElements = 4096;

struct UpdateSettings {
  Optimizer optimizer = Optimizer::adamw;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.1;  // on weights of two or more dimensions
  double grad_clip = 1.0;     // 0: no clipping
  bool loss_scaled = false;   // gradients come multiplied by the graph input "loss_scale" f32[1]; not with clip_tensors
  bool clip_tensors = false;  // each gradient by its own norm, instead of all by the norm of all
};

// Names of the graph inputs that the updates read, beside the weights:
//   "update_scalars" f32[3] = (lr, lr / (1 - beta1^t), sqrt(1 - beta2^t)), and for adamw "WEIGHT.adam_m",
//   "WEIGHT.adam_v"; for adamw8bit these are codes, and "WEIGHT.adam_m_scale", "WEIGHT.adam_v_scale" their scales.
// Adds the result "gradient_norm" f32[1], of all gradients before clipping; the gradients are results no more. Run
// after differentiate.
Graph append_updates(Graph graph, const UpdateSettings& settings);

}  // namespace headroom
