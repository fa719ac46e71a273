// Next-token losses of rows of tokens, summed token by token in f64, so that neither the batch nor anything else but
// the rows decides a bit of the result.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "headroom/generate/evaluation_graphs.h"
#include "headroom/runtime/workspace.h"
#include "headroom/tasks/step_filler.h"

namespace headroom {

class Evaluator {
 public:
  // Called with R x V logits at a time, row after row in the order in which they were added.
  using LogitSink = std::function<void(const float* logits, int64_t rows)>;
  // Called when a batch has been evaluated, with its targets (-1: does not count).
  using BatchSink = std::function<void(std::span<const int32_t> targets)>;

  // `workspace` holds the graphs of `shape` and is borrowed. `logits` is called where the shape has logit rows; every
  // row must then have shape.row_tokens ids.
  Evaluator(Workspace& workspace, const Model& model, const EvaluationShape& shape, LogitSink logits = nullptr);

  void after_batch(BatchSink sink) { batch_sink_ = std::move(sink); }

  // Adds a row of 1 to row_tokens + 1 ids, all in the vocabulary; the predictions of ids[first_counted] and of those
  // behind it count. Evaluates when shape.rows rows are there. Throws InvalidInput when a loss is no number.
  void add_row(std::span<const int32_t> ids, int64_t first_counted = 1);
  // The same with the target of each id that has one, -1 where it does not count; there are no more of them than ids.
  void add_row(std::span<const int32_t> ids, std::span<const int32_t> targets);
  // Evaluates the rows that are left.
  void finish();

  double loss_sum() const { return loss_sum_; }
  int64_t predictions() const { return predictions_; }
  int64_t rows() const { return rows_seen_; }
  int64_t tokens() const { return tokens_seen_; }  // that went through the model

 private:
  void add_to_reference(std::span<const int32_t> ids);  // of the row that is being added
  void run();
  void pass_logits();

  EvaluationShape shape_;
  const Workspace& workspace_;
  Executor& evaluation_;
  Executor* logits_;
  StepFiller step_;
  View<int32_t> reference_sequences_;  // unbound where the reference reads the model's, or there is none
  View<float> reference_rows_;         // of its embedding's table, unbound unless that is in its files
  View<int32_t> logit_rows_;
  View<const float> losses_;
  LogitSink sink_;
  BatchSink batch_sink_;
  std::vector<int32_t> row_targets_;
  int64_t rows_ = 0;  // waiting
  int64_t predictions_ = 0;
  int64_t rows_seen_ = 0;
  int64_t tokens_seen_ = 0;
  double loss_sum_ = 0;
};

}  // namespace headroom
