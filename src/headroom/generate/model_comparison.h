// A model beside its reference on the same rows: how far their distributions over the next token are apart, and how
// often they would write the same. What a quantised model lost, measured against the model it was made from.
#pragma once

#include <span>

#include "headroom/generate/evaluation_graphs.h"
#include "headroom/runtime/workspace.h"

namespace headroom {

class ModelComparison {
 public:
  // `workspace` holds the graphs of build_comparison_graphs and is borrowed.
  ModelComparison(Workspace& workspace, const Model& reference);

  // The rows that the evaluation of the model has just run on, by their targets; those of -1 do not count. Throws
  // InvalidInput when a loss of the reference is no number.
  void add_batch(std::span<const int32_t> targets);

  int64_t predictions() const { return predictions_; }
  double reference_loss_sum() const { return reference_loss_sum_; }
  double kl_divergence_sum() const { return kl_divergence_sum_; }  // KL(reference || model), nats
  double largest_kl_divergence() const { return largest_kl_divergence_; }
  int64_t equal_tops() const { return equal_tops_; }  // predictions whose likeliest token is the same

 private:
  void compare(int64_t count);  // the first `count` of logit_rows_

  Executor& reference_;
  Executor& comparison_;
  View<int32_t> logit_rows_;
  View<const float> losses_;
  View<const float> kl_divergences_;
  View<const int32_t> tops_;
  View<const int32_t> reference_tops_;
  int64_t predictions_ = 0;
  double reference_loss_sum_ = 0;
  double kl_divergence_sum_ = 0;
  double largest_kl_divergence_ = 0;
  int64_t equal_tops_ = 0;
};

}  // namespace headroom
