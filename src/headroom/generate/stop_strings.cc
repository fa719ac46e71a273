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

std::string_view StopStrings::push(std::string_view fragment) {
  certain_.clear();
  if (stopped_) return certain_;
  pending_ += fragment;
  size_t first = std::string::npos;
  for (const std::string& stop : stops_) first = std::min(first, pending_.find(stop));
  stopped_ = first != std::string::npos;
  const size_t count = stopped_ ? first : pending_.size() - held_bytes();
  certain_.assign(pending_, 0, count);
  pending_.erase(0, stopped_ ? std::string::npos : count);
  return certain_;
}

std::string_view StopStrings::finish() {
  certain_ = std::move(pending_);
  pending_.clear();
  return certain_;
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
