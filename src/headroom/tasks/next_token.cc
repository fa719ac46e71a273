#include "headroom/tasks/next_token.h"

#include "headroom/data/marked_token.h"
#include "headroom/ops/embedding.h"
#include "headroom/ops/logsumexp.h"
#include "headroom/ops/matmul.h"

namespace headroom {

TokenFileInfo NextToken::encode(std::span<const std::string> paths, TextEncoder& encoder, const Model& /*model*/,
                                const RowSettings& rows, const std::string& output,
                                const TokenizeProgress& progress) const {
  return tokenize_files(paths, encoder, rows, output, progress);
}

// A sequence is a stretch of the row without a beginning inside. Its last token is in it only if it predicts the last
// token of the row.
void NextToken::fill_row(StepFiller& step, int64_t first_row, int64_t places, std::span<const int32_t> row) const {
  const auto tokens = static_cast<int64_t>(row.size()) - 1;
  int64_t begin = 0;
  for (int64_t t = 0; t < tokens; ++t) {
    const int32_t token = row[static_cast<size_t>(t)];
    const int32_t next = row[static_cast<size_t>(t + 1)];
    if (marked_begins(token)) begin = t;
    step.token(first_row + t, token == kPadding ? 0 : marked_id(token), t - begin,
               is_predicted(next) ? marked_id(next) : -1);
    if (marked_begins(next)) {
      step.sequence(first_row + begin, t - begin);
    } else if (t + 1 == tokens) {
      step.sequence(first_row + begin, tokens - begin);
    }
  }
  step.leave_out(first_row + tokens, first_row + places);
}

void NextToken::sample_row(const Model& model, int64_t number, std::span<int32_t> row) const {
  for (size_t t = 0; t < row.size(); ++t) {
    const int64_t at = number * static_cast<int64_t>(row.size()) + static_cast<int64_t>(t);
    row[t] = mark_token(sample_id(model, at), true, t == 0);
  }
}

NextTokenLogits declare_logits_inputs(Builder& build, const Model& model, const StepShape& shape) {
  const StepInputs step = declare_step_inputs(build, model, shape);
  return {step, build.input(shape.of_tokens + "last_row", i32({shape.sequences}), Role::input)};
}

void append_logits(Builder& build, const Model& model, const StepShape& shape, const NextTokenLogits& inputs) {
  const ValueId h = model.forward(build, inputs.step, model.stored_formats());
  const ValueId last = embedding(build, h, inputs.last_row);
  const ValueId logits = linear(build, last, model.head_weight(build, model.stored_formats()));
  const ValueId lse = logsumexp(build, logits);
  build.graph().value(logits).name = shape.of_tokens + "logits";
  build.graph().value(lse).name = shape.of_tokens + "lse";
  build.result(logits);
  build.result(lse);
}

}  // namespace headroom
