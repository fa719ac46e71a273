// Documents as the rows of an evaluation: text in windows, each example alone in a row of its own.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "headroom/data/document_encoder.h"
#include "headroom/generate/evaluator.h"
#include "headroom/generate/text_windows.h"

namespace headroom {

class DocumentRows final : public DocumentTokens {
 public:
  // Windows as TextWindows cuts them, over all texts, or with `isolate` over each text alone. `before_row` may throw to
  // stop. Borrows the evaluator.
  DocumentRows(Evaluator& evaluator, int64_t seq_len, int64_t stride, bool isolate, std::function<void()> before_row);

  void begin_text() override;
  void text(std::span<const int32_t> ids) override;
  void example(std::span<const int32_t> marked, int64_t lost) override;
  void finish();

  // Texts whose first token no window could predict, however windows overlap; and the tokens of all texts.
  int64_t first_texts() const { return isolate_ ? texts_ : std::min<int64_t>(texts_, 1); }
  int64_t text_tokens() const { return text_tokens_; }
  int64_t examples() const { return examples_; }
  // Examples that were cut to a window, the tokens lost there, and examples left out since nothing in them counts.
  int64_t truncated() const { return truncated_; }
  int64_t truncated_tokens() const { return truncated_tokens_; }
  int64_t dropped() const { return dropped_; }

 private:
  Evaluator& evaluator_;
  bool isolate_;
  std::function<void()> before_row_;
  TextWindows windows_;
  std::vector<int32_t> ids_;
  std::vector<int32_t> targets_;
  int64_t texts_ = 0;
  int64_t text_tokens_ = 0;
  int64_t examples_ = 0;
  int64_t truncated_ = 0;
  int64_t truncated_tokens_ = 0;
  int64_t dropped_ = 0;
};

}  // namespace headroom
