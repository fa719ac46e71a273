#include "headroom/generate/text_windows.h"

#include <algorithm>

namespace headroom {

TextWindows::TextWindows(int64_t seq_len, int64_t stride, Sink sink)
    : seq_len_(static_cast<size_t>(seq_len)), stride_(static_cast<size_t>(stride)), sink_(std::move(sink)) {
  window_.reserve(seq_len_);
}

void TextWindows::push(std::span<const int32_t> ids) {
  for (const int32_t id : ids) {
    window_.push_back(id);
    if (window_.size() < seq_len_) continue;
    pass();
    window_.erase(window_.begin(), window_.begin() + static_cast<ptrdiff_t>(stride_));
    seen_ = window_.size();
  }
}

void TextWindows::finish() {
  if (window_.size() > std::max<size_t>(seen_, 1)) pass();
  window_.clear();
  seen_ = 0;
}

void TextWindows::pass() { sink_(window_, static_cast<int64_t>(std::max<size_t>(seen_, 1))); }

}  // namespace headroom
