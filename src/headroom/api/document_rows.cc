#include "headroom/api/document_rows.h"

namespace headroom {

DocumentRows::DocumentRows(Evaluator& evaluator, int64_t seq_len, int64_t stride, bool isolate,
                           std::function<void()> before_row)
    : evaluator_(evaluator),
      isolate_(isolate),
      before_row_(std::move(before_row)),
      windows_(seq_len, stride, [this](std::span<const int32_t> ids, int64_t first_counted) {
        before_row_();
        evaluator_.add_row(ids, first_counted);
      }) {}

void DocumentRows::begin_text() {
  if (isolate_) windows_.finish();
  ++texts_;
}

void DocumentRows::text(std::span<const int32_t> ids) {
  text_tokens_ += static_cast<int64_t>(ids.size());
  windows_.push(ids);
}

void DocumentRows::example(std::span<const int32_t> marked, int64_t lost) {
  windows_.finish();
  ++examples_;
  if (!has_prediction(marked)) {
    ++dropped_;
    return;
  }
  truncated_ += lost > 0 ? 1 : 0;
  truncated_tokens_ += lost;
  ids_.clear();
  targets_.clear();
  for (const int32_t token : marked) ids_.push_back(marked_id(token));
  for (const int32_t token : marked.subspan(1)) targets_.push_back(marked_counts(token) ? marked_id(token) : -1);
  before_row_();
  evaluator_.add_row(ids_, targets_);
}

void DocumentRows::finish() {
  windows_.finish();
  evaluator_.finish();
}

}  // namespace headroom
