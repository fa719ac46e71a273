// The gate of a mixture of experts: which of them each token goes to, and what their answers count (DeepSeek-AI 2024,
// arXiv 2405.04434 section 2.2 and 2412.19437 section 2.1.2).
//   T tokens, E experts in G groups, K chosen
#pragma once

#include "headroom/backend/route_rows.h"
#include "headroom/graph/builder.h"

namespace headroom {

struct RouteSettings {
  Scoring scoring = Scoring::softmax;
  int64_t chosen = 0;      // K
  int64_t groups = 1;      // G
  int64_t top_groups = 1;  // only experts of so many groups can be chosen
  int64_t group_best = 1;  // a group's score is the sum of so many of its best
  bool normalise = false;  // weights are divided by their sum + 1e-20
  double scale = 1;        // and multiplied by this
};

struct Route {
  ValueId choice;   // i32[T, K], ascending in each row
  ValueId weights;  // f32[T, K]
};

// logits f32[T, E]; bias f32[E], or kNoValue. Scores are the logits' softmax or sigmoid; those that choose are scores +
// bias; of equal ones, experts or groups, the lower number is chosen first. Weights are the chosen scores. A row with a
// NaN has NaN weights. The gradient flows through the weights alone.
Route route(Builder& build, ValueId logits, ValueId bias, const RouteSettings& settings);

}  // namespace headroom
