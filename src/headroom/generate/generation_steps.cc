#include "headroom/generate/generation_steps.h"

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/models/constants.h"

namespace headroom {
GenerationSteps::GenerationSteps(Workspace& workspace, const Model& model, const GenerationShape& shape)
    : context_(shape.context) {
  for (const int64_t rows : step_rows(shape)) {
    const std::string name = step_name(rows);
    Executor& executor = workspace.at(name);
    steps_.push_back({.rows = rows,
                      .executor = &executor,
                      .inputs = StepFiller(workspace, shape.step(rows)),
                      .last_row = workspace.view<int32_t>(name + ".last_row"),
                      .logits = executor.result<float>(name + ".logits"),
                      .lse = executor.result<float>(name + ".lse")});
  }
  fill_constants(model, workspace);
}

// The smallest step that takes all, if they fill half of it; else the largest that they fill.
GenerationSteps::Step& GenerationSteps::step_for(int64_t tokens) {
  for (size_t i = steps_.size(); i-- > 0;) {
    if (steps_[i].rows >= tokens && steps_[i].rows <= 2 * tokens) return steps_[i];
  }
  return *std::find_if(steps_.begin(), steps_.end(), [&](const Step& step) { return step.rows <= tokens; });
}

void GenerationSteps::keep(int64_t tokens) {
  ensure(tokens >= 0 && tokens <= tokens_, "{} tokens to keep of {}", tokens, tokens_);
  tokens_ = tokens;
}

int64_t GenerationSteps::feed(std::span<const int32_t> tokens) {
  ensure(!tokens.empty() && tokens_ < context_, "{} tokens for a cache that holds {} of {}", tokens.size(), tokens_,
         context_);
  Step& step = step_for(static_cast<int64_t>(tokens.size()));
  const size_t count =
      std::min({tokens.size(), static_cast<size_t>(step.rows), static_cast<size_t>(context_ - tokens_)});
  const auto rows = static_cast<int64_t>(count);
  for (int64_t t = 0; t < rows; ++t) step.inputs.token(t, tokens[static_cast<size_t>(t)], tokens_ + t);
  step.inputs.leave_out(rows, step.rows);
  step.inputs.begin_sequences();
  step.inputs.cached_sequence(0, rows, 0, tokens_);
  *step.last_row = static_cast<int32_t>(rows) - 1;
  step.executor->run();
  last_ = &step;
  tokens_ += rows;
  return rows;
}

}  // namespace headroom
