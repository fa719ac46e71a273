#include "headroom/generate/stop_strings.h"

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/utf8_check.h"

namespace headroom {

StopStrings::StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {
  for (const std::string& stop : stops_) {
    Utf8Check check;
    const bool whole =
        std::all_of(stop.begin(), stop.end(), [&](char c) { return check.feed(static_cast<uint8_t>(c)); });
    if (stop.empty() || !whole || !check.is_between_characters()) {
      throw InvalidInput("--stop: expected text of whole UTF-8 characters, at least one, got \"{}\"", stop);
    }
  }
}

std::string_view StopStrings::push(std::string_view fragment, bool is_shown) {
  certain_.clear();
  if (stopped_) return certain_;
  pending_ += fragment;
  shown_.append(fragment.size(), static_cast<char>(is_shown));
  size_t first = std::string::npos;
  for (const std::string& stop : stops_) first = std::min(first, pending_.find(stop));
  stopped_ = first != std::string::npos;
  let_through(stopped_ ? first : pending_.size() - held_bytes());
  if (stopped_) pending_.clear();
  return certain_;
}

std::string_view StopStrings::finish() {
  certain_.clear();
  let_through(pending_.size());
  return certain_;
}

// The first `count` bytes of pending_ become certain.
void StopStrings::let_through(size_t count) {
  for (size_t at = 0; at < count; ++at) {
    if (shown_[at] != 0) certain_ += pending_[at];
  }
  pending_.erase(0, count);
  shown_.erase(0, count);
}

// The longest end of pending_ that a stop string begins with.
size_t StopStrings::held_bytes() const {
  size_t held = 0;
  for (const std::string& stop : stops_) {
    for (size_t length = std::min(stop.size() - 1, pending_.size()); length > held; --length) {
      if (std::string_view(pending_).ends_with(std::string_view(stop).substr(0, length))) held = length;
    }
  }
  return held;
}

}  // namespace headroom
