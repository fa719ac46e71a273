// The graphs of an evaluation: the training forward without a backward, over rows of given tokens.
//   B rows, S tokens a row, T = B * S, F features, V vocabulary, R rows of logits at a time.
#pragma once

#include <string_view>
#include <vector>

#include "headroom/generate/compute.h"
#include "headroom/graph/graph.h"
#include "headroom/models/model.h"
#include "headroom/ops/lora.h"
#include "headroom/passes/pass.h"

namespace headroom {

struct EvaluationShape {
  int64_t rows = 0;
  int64_t row_tokens = 0;
  int64_t logit_rows = 0;               // R; 0: no logits are wanted
  bool logits_of_targets = false;       // only of rows that have a target, not of all
  std::vector<LoraLayer> adapter = {};  // beside the model's layers, not the reference's
  Compute compute = Compute::f32;       // of the model's products with quantised weights, not of the reference's
  // Of the model's keys and values, not of the reference's, which attention reads as a KV cache keeps them. f32: there
  // is none, which gives the same bits.
  CacheKind cache_kind = CacheKind::f32;

  int64_t tokens() const { return rows * row_tokens; }
  // Rows of the cache, or of the keys of the step, from one row of tokens to the next.
  int64_t sequence_rows() const { return cache_kind == CacheKind::f32 ? row_tokens : cache_rows_of(row_tokens); }
  StepShape step() const;
};

// "evaluation", and with logits "logits", which turns R of the rows that the last evaluation left into logits.
// Graph inputs that the host fills, by name:
//   "tokens", "targets" i32[T] (targets -1: ignored), "positions" i32[T], "sequences" i32[B, 4],
//   "rotary_table" f32[S, D]; with logits "hidden_range" i32[2] = (0, T) and "logit_rows" i32[R].
// Results: of `evaluation`, "losses" f32[T]; of `logits`, "logits" f32[R, V]. Weights have the dtype of the files.
std::vector<Graph> build_evaluation_graphs(const Model& model, const EvaluationShape& shape,
                                           PassTrace* trace = nullptr);

// What stands before the names of the reference's weights and of its own inputs.
inline constexpr std::string_view kReferencePrefix = "reference.";

// Two models on the same rows: "evaluation" and "reference.evaluation", which read the same tokens, targets, positions
// and, without a cache, sequences, each with its rotary table; and "comparison", over R of the rows that both left
// ("logit_rows"), with results "kl_divergence" f32[R], and "top" and "reference_top" i32[R], the likeliest tokens.
// shape.logit_rows is not 0 and both models have one vocabulary.
std::vector<Graph> build_comparison_graphs(const Model& model, const Model& reference, const EvaluationShape& shape,
                                           PassTrace* trace = nullptr);

}  // namespace headroom
