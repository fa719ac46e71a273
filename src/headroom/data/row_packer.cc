#include "headroom/data/row_packer.h"

#include <utility>

namespace headroom {

RowPacker::RowPacker(TokenFileWriter& writer, int64_t row_length, bool isolate)
    : writer_(writer), row_length_(row_length), isolate_(isolate) {
  counts_.isolated = isolate ? 1 : 0;
}

void RowPacker::begin_text() {
  end_isolated_text();
  begins_ = isolate_ || behind_example_;
  behind_example_ = false;
}

void RowPacker::text(std::span<const int32_t> ids) {
  for (const int32_t id : ids) {
    const int32_t token = mark_token(id, true, std::exchange(begins_, false));
    if (!isolate_) {
      writer_.add({&token, 1});
      continue;
    }
    piece_.push_back(token);
    if (static_cast<int64_t>(piece_.size()) < row_length_) continue;
    place(piece_);
    piece_.clear();
    begins_ = true;
  }
}

// A single token that is left predicts nothing.
void RowPacker::end_isolated_text() {
  if (piece_.size() > 1) place(piece_);
  piece_.clear();
}

void RowPacker::example(std::span<const int32_t> marked, int64_t lost) {
  end_isolated_text();
  if (!has_prediction(marked)) {
    ++counts_.dropped;
    return;
  }
  counts_.truncated += lost > 0 ? 1 : 0;
  counts_.truncated_tokens += lost;
  place(marked);
  behind_example_ = true;
}

void RowPacker::place(std::span<const int32_t> piece) {
  if (writer_.tokens() % row_length_ + static_cast<int64_t>(piece.size()) > row_length_) pad_row();
  writer_.add(piece);
  counts_.row_length = row_length_;
}

void RowPacker::pad_row() {
  const int64_t count = (row_length_ - writer_.tokens() % row_length_) % row_length_;
  for (int64_t index = 0; index < count; ++index) writer_.add({&kPadding, 1});
  counts_.padding += count;
}

void RowPacker::finish(TokenFileInfo& info) {
  end_isolated_text();
  if (counts_.row_length > 0) pad_row();
  info.row_length = counts_.row_length;
  info.isolated = counts_.isolated;
  info.truncated = counts_.truncated;
  info.truncated_tokens = counts_.truncated_tokens;
  info.dropped = counts_.dropped;
  info.padding = counts_.padding;
}

}  // namespace headroom
