#include "headroom/tasks/task.h"

#include "headroom/base/errors.h"
#include "headroom/ops/linear_cross_entropy.h"
#include "headroom/tasks/classify.h"
#include "headroom/tasks/next_token.h"

namespace headroom {

TaskInputs Task::declare(Builder& build, const Model& model, const StepShape& shape) const {
  const StepInputs step = declare_step_inputs(build, model, shape);
  return {step, build.input(shape.of_tokens + "targets", i32({shape.tokens}), Role::input)};
}

ValueId Task::losses(Builder& build, ValueId hidden, ValueId head_weight, const TaskInputs& inputs) const {
  return linear_cross_entropy(build, hidden, head_weight, inputs.targets).loss;
}

const Task& task_of(const Model& model) {
  static const NextToken next_token;
  static const Classify classify;
  if (model.labels().empty()) return next_token;
  return classify;
}

void require_positions(const Task& task, int64_t seq_len, const Model& model) {
  const int64_t positions = model.max_positions();
  const int64_t unread = seq_len + 1 - task.row_tokens(seq_len);  // a last token that is predicted and not read
  if (seq_len - unread <= positions) return;
  throw InvalidInput("--seq-len {}: the model has {} positions{}; expected at most {}", seq_len, positions,
                     unread > 0 ? ", and the last token of a row is predicted without being read" : "",
                     positions + unread);
}

}  // namespace headroom
