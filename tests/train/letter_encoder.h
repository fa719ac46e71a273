// A tokenizer small enough to check by hand: each byte is its own id; fragments are remembered for the tests.
#pragma once

#include <algorithm>
#include <string>

#include "headroom/train/text_encoder.h"

namespace headroom {

class LetterEncoder : public TextEncoder {
 public:
  static constexpr int32_t kEnd = 256;

  void feed(std::string_view fragment, const Emit& emit) override {
    longest_fragment = std::max(longest_fragment, fragment.size());
    for (const char letter : fragment) {
      const int32_t id = static_cast<uint8_t>(letter);
      emit({&id, 1});
    }
  }
  void end_document(const Emit&) override { ++documents; }
  int64_t vocabulary() const override { return 257; }
  std::optional<int32_t> end_of_text() const override {
    if (has_end) return kEnd;
    return std::nullopt;
  }
  uint64_t fingerprint() const override { return version; }

  bool has_end = true;
  uint64_t version = 1;
  size_t longest_fragment = 0;
  int64_t documents = 0;
};

// The ids as text again, "|" for the end.
inline std::string letters(const std::vector<int32_t>& ids) {
  std::string text;
  for (const int32_t id : ids) text += id == LetterEncoder::kEnd ? '|' : static_cast<char>(id);
  return text;
}

}  // namespace headroom
