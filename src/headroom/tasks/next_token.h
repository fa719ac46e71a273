// The prediction of each next token: what a causal language model learns.
#pragma once

#include "headroom/tasks/task.h"

namespace headroom {

class NextToken final : public Task {
 public:
  int64_t row_tokens(int64_t seq_len) const override { return seq_len; }
  // Each document that counts has two tokens or more.
  int64_t sequences_of_row(int64_t row_tokens, bool isolated) const override { return isolated ? row_tokens / 2 : 1; }
  TokenFileInfo encode(std::span<const std::string> paths, TextEncoder& encoder, const Model& model,
                       const RowSettings& rows, const std::string& output,
                       const TokenizeProgress& progress) const override;
  // Documents of a row are sequences of their own. The last token of a row is only predicted.
  void fill_row(StepFiller& step, int64_t first_row, int64_t places, std::span<const int32_t> row) const override;
  void sample_row(const Model& model, int64_t number, std::span<int32_t> row) const override;
};

// What generation reads of a step: the logits of row last_row of each sequence, an input, and their logsumexp. Results
// "logits" f32[B, V] and "lse" f32[B]; those names and "last_row" i32[B] stand behind shape.of_tokens.
struct NextTokenLogits {
  StepInputs step;
  ValueId last_row = kNoValue;
};
NextTokenLogits declare_logits_inputs(Builder& build, const Model& model, const StepShape& shape);
void append_logits(Builder& build, const Model& model, const StepShape& shape, const NextTokenLogits& inputs);

}  // namespace headroom
