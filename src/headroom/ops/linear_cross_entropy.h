// The loss head: a linear layer and the cross-entropy with the next token, which never hold the logits of the batch.
//   logits[t,v] = x[t] . w[v],  lse[t] = log sum_v exp(logits[t,v]),  loss[t] = lse[t] - logits[t,target[t]]
//   T tokens, F features, V vocabulary. A target outside [0, V), such as -1, is ignored: its loss is 0.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

struct LossResult {
  ValueId loss;  // f32[T]
  ValueId lse;   // f32[T]: kept for the backward
};

// x f32[T, F], weight [V, F] in f32, bf16 or f16, targets i32[T]; none of T, F and V is 0.
// The gradient of loss is one number for all tokens, f32[1]: what the backward takes as `scale`.
LossResult linear_cross_entropy(Builder& build, ValueId x, ValueId weight, ValueId targets);

// The same a panel of the vocabulary at a time, where the weight comes in panels. `weight` are rows of it from
// first_row on, a multiple of kLossPanelRows (a tile of the sums), as is the number of rows but of the last panel. What
// panels leave behind them, f32[3, T]: the maximum of the logits so far, the sum of exp(logit - maximum), the target's
// logit. It goes on from `before`, in its storage; kNoValue for the first panel. No gradient.
inline constexpr int64_t kLossPanelRows = 4096;
ValueId linear_cross_entropy_panel(Builder& build, ValueId x, ValueId weight, ValueId targets, int64_t first_row,
                                   ValueId before = kNoValue);
// What the last panel left -> loss and lse.
LossResult linear_cross_entropy_of_panels(Builder& build, ValueId panels, ValueId targets, int64_t vocabulary);

struct LossGradients {
  ValueId dweight;  // f32[V, F]
  ValueId dx;       // f32[T, F]
};

// d[t,v] = (exp(logits[t,v] - lse[t]) - [v = target[t]]) * scale, 0 for ignored tokens; dweight = d^T x, dx = d w. The
// logits are computed again. With `sum` (f32[V, F], its storage) dweight goes on from it. Where nobody trains the
// weight the node has the attribute "frozen", only dx as output, and takes no sum.
LossGradients linear_cross_entropy_backward(Builder& build, ValueId x, ValueId weight, ValueId targets, ValueId lse,
                                            ValueId scale, ValueId sum = kNoValue);

// Loss and gradients in one sweep: the same bits with three products instead of four, for the scratch that the logits
// of a block of tokens need (LogitsBlockScratch). What the pass fuse_loss_gradients puts in place of the two.
struct LossAndGradients {
  ValueId dweight;  // f32[V, F]
  ValueId dx;       // f32[T, F]
  ValueId loss;     // f32[T]
};
LossAndGradients linear_cross_entropy_with_gradients(Builder& build, ValueId x, ValueId weight, ValueId targets,
                                                     ValueId scale, ValueId sum = kNoValue);

}  // namespace headroom
