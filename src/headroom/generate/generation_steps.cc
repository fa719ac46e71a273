#include "headroom/generate/generation_steps.h"

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/models/constants.h"

namespace headroom {
GenerationSteps::GenerationSteps(Workspace& workspace, const Model& model, const GenerationShape& shape)
    : context_(shape.context), sequence_rows_(shape.sequence_rows()), tokens_(static_cast<size_t>(shape.sequences), 0) {
  for (const int64_t rows : step_rows(shape)) {
    const std::string name = step_name(shape, rows);
    const StepShape step = shape.step(rows);
    Executor& executor = workspace.at(name);
    steps_.push_back({.rows = rows,
                      .sequences = step.sequences,
                      .executor = &executor,
                      .inputs = StepFiller(workspace, step),
                      .last_rows = workspace.view<int32_t>(name + ".last_row"),
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

void GenerationSteps::keep(int64_t tokens, int64_t sequence) {
  int64_t& held = tokens_[static_cast<size_t>(sequence)];
  ensure(tokens >= 0 && tokens <= held, "{} tokens to keep of {}", tokens, held);
  held = tokens;
}

std::span<const float> GenerationSteps::logits(size_t part) const {
  const std::span<const float> all = last_->logits.all();
  const size_t vocabulary = all.size() / static_cast<size_t>(last_->sequences);
  return all.subspan(part * vocabulary, vocabulary);
}

void GenerationSteps::feed(std::span<Part> parts) {
  int64_t wanted = 0;
  for (const Part& part : parts) wanted += static_cast<int64_t>(part.tokens.size());
  ensure(wanted > 0, "no tokens to feed to {} sequences", parts.size());
  Step& step = step_for(wanted);
  step.inputs.begin_sequences();
  step.last_rows.fill_from(0, 0);
  int64_t row = 0;
  for (size_t p = 0; p < parts.size() && row < step.rows; ++p) {
    Part& part = parts[p];
    int64_t& held = tokens_[static_cast<size_t>(part.sequence)];
    ensure(!part.tokens.empty() && held < context_, "{} tokens for a cache that holds {} of {}", part.tokens.size(),
           held, context_);
    const int64_t count = std::min({static_cast<int64_t>(part.tokens.size()), step.rows - row, context_ - held});
    for (int64_t t = 0; t < count; ++t) step.inputs.token(row + t, part.tokens[static_cast<size_t>(t)], held + t);
    step.inputs.cached_sequence(row, count, part.sequence * sequence_rows_, held);
    row += count;
    step.last_rows[static_cast<int64_t>(p)] = static_cast<int32_t>(row) - 1;
    held += count;
    part.tokens = part.tokens.subspan(static_cast<size_t>(count));
  }
  step.inputs.end_sequences();
  step.inputs.leave_out(row, step.rows);
  step.executor->run();
  last_ = &step;
}

int64_t GenerationSteps::feed(std::span<const int32_t> tokens, int64_t sequence) {
  Part part{sequence, tokens};
  feed({&part, 1});
  return static_cast<int64_t>(tokens.size() - part.tokens.size());
}

}  // namespace headroom
