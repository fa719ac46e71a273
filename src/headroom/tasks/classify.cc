#include "headroom/tasks/classify.h"

#include <algorithm>

#include "headroom/data/label_files.h"
#include "headroom/data/marked_token.h"

namespace headroom {

LabelSettings label_settings(const Model& model, int64_t max_tokens) {
  return {.names = model.labels(), .padding = model.padding(), .max_tokens = max_tokens};
}

TokenFileInfo Classify::encode(std::span<const std::string> paths, TextEncoder& encoder, const Model& model,
                               const RowSettings& rows, const std::string& output,
                               const TokenizeProgress& progress) const {
  return label_files(paths, encoder, label_settings(model, rows.row_length - 1), output, progress);
}

// The tokens before the one that counts, which is the label.
void Classify::fill_row(StepFiller& step, int64_t first_row, int64_t places, std::span<const int32_t> row) const {
  const auto label = std::find_if(row.begin(), row.end(), marked_counts);
  const int64_t tokens = label == row.end() ? 0 : label - row.begin();
  for (int64_t t = 0; t < tokens; ++t) {
    step.token(first_row + t, marked_id(row[static_cast<size_t>(t)]), t, t + 1 == tokens ? marked_id(*label) : -1);
  }
  step.sequence(first_row, tokens);
  step.leave_out(first_row + tokens, first_row + places);
}

void Classify::sample_row(const Model& model, int64_t number, std::span<int32_t> row) const {
  const auto tokens = static_cast<int64_t>(row.size()) - 1;
  for (int64_t t = 0; t < tokens; ++t) {
    row[static_cast<size_t>(t)] = mark_token(sample_id(model, number * tokens + t), false, t == 0);
  }
  row.back() = mark_token(static_cast<int32_t>(number % static_cast<int64_t>(model.labels().size())), true, false);
}

}  // namespace headroom
