// The classification of texts: what a ...ForSequenceClassification learns. The label of a text is read off its last
// token; each text has a row to itself.
#pragma once

#include "headroom/data/labelled_text.h"
#include "headroom/tasks/task.h"

namespace headroom {

class Classify final : public Task {
 public:
  int64_t row_tokens(int64_t seq_len) const override { return seq_len + 1; }
  int64_t sequences_of_row(int64_t /*row_tokens*/, bool /*isolated*/) const override { return 1; }
  TokenFileInfo encode(std::span<const std::string> paths, TextEncoder& encoder, const Model& model,
                       const RowSettings& rows, const std::string& output,
                       const TokenizeProgress& progress) const override;
  void fill_row(StepFiller& step, int64_t first_row, int64_t places, std::span<const int32_t> row) const override;
  void sample_row(const Model& model, int64_t number, std::span<int32_t> row) const override;
};

// What the texts of `model` are read with.
LabelSettings label_settings(const Model& model, int64_t max_tokens);

}  // namespace headroom
