#include "headroom/tasks/task.h"

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

}  // namespace headroom
