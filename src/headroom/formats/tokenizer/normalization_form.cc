#include "headroom/formats/tokenizer/normalization_form.h"

#include <utf8proc.h>

#include <algorithm>
#include <string>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/character_class.h"
#include "headroom/formats/tokenizer/utf8.h"

namespace headroom {
namespace {

// Text is normalized in stretches of about this length; a segment that cannot be cut may follow.
constexpr size_t kStretchBytes = 1024;
constexpr size_t kHeldBytes = kStretchBytes + kMaxCombinedBytes;
// The most characters that one byte becomes: U+FDFA, of three bytes, becomes 18.
constexpr size_t kCharactersPerByte = 6;

// Starters that compose with what stands before them (NFC_Quick_Check=Maybe): Hangul vowels and final consonants, and
// vowel signs of Indic scripts.
bool is_second_of_pair(utf8proc_int32_t code) {
  constexpr utf8proc_int32_t kSigns[] = {0x9BE,   0x9D7,   0xB3E,   0xB56,   0xB57,   0xBBE,   0xBD7,  0xCC2,
                                         0xCD5,   0xCD6,   0xD3E,   0xD57,   0xDCF,   0xDDF,   0x102E, 0x1B35,
                                         0x11127, 0x1133E, 0x11357, 0x114B0, 0x114BA, 0x114BD, 0x115AF};
  if ((code >= 0x1161 && code <= 0x1175) || (code >= 0x11A8 && code <= 0x11C2)) return true;
  return std::find(std::begin(kSigns), std::end(kSigns), code) != std::end(kSigns);
}

class NormalizationStage : public TextFilter {
 public:
  NormalizationStage(int options, TextStage& next)
      : TextFilter(next), options_(options), points_(kHeldBytes * kCharactersPerByte) {
    held_.reserve(kHeldBytes);
    normalized_.reserve(4 * points_.size());
  }

  void text(std::string_view fragment) override {
    while (!fragment.empty()) {
      size_t ascii = 0;
      while (ascii < fragment.size() && static_cast<uint8_t>(fragment[ascii]) < 0x80) ++ascii;
      if (ascii > 0) {
        // Only the last of them may combine with what follows.
        normalize_held();
        if (ascii > 1) next_.text(fragment.substr(0, ascii - 1));
        held_ = fragment[ascii - 1];
        fragment.remove_prefix(ascii);
      } else {
        const Utf8Char next = read_utf8(fragment);
        add(fragment.substr(0, next.length), next.code);
        fragment.remove_prefix(next.length);
      }
    }
  }

  void end_piece() override {
    normalize_held();
    next_.end_piece();
  }

 private:
  void add(std::string_view character, char32_t code) {
    if (is_unknown_to_normalization(code)) {
      normalize_held();
      return next_.text(character);
    }
    const bool begins = begins_segment(static_cast<utf8proc_int32_t>(code));
    if (begins ? held_.size() >= kStretchBytes : held_.size() - segment_ + character.size() > kMaxCombinedBytes) {
      normalize_held();
    }
    if (begins) segment_ = held_.size();
    held_ += character;
  }

  // Nothing that stands before the character moves behind it or combines with it.
  bool begins_segment(utf8proc_int32_t code) {
    if (code < 0x300) return true;
    int boundary = 0;
    const auto count = utf8proc_decompose_char(code, points_.data(), static_cast<utf8proc_ssize_t>(points_.size()),
                                               static_cast<utf8proc_option_t>(options_), &boundary);
    const utf8proc_int32_t first = count > 0 ? points_[0] : code;
    return utf8proc_get_property(first)->combining_class == 0 && !is_second_of_pair(first);
  }

  void normalize_held() {
    segment_ = 0;
    if (held_.size() < 2) return pass(held_);
    const auto options = static_cast<utf8proc_option_t>(options_);
    auto count = utf8proc_decompose(reinterpret_cast<const utf8proc_uint8_t*>(held_.data()),
                                    static_cast<utf8proc_ssize_t>(held_.size()), points_.data(),
                                    static_cast<utf8proc_ssize_t>(points_.size()), options);
    if (count > 0) count = utf8proc_normalize_utf32(points_.data(), count, options);
    ensure(count >= 0 && static_cast<size_t>(count) <= points_.size(), "utf8proc gave {} for {} bytes", count,
           held_.size());
    normalized_.clear();
    for (utf8proc_ssize_t at = 0; at < count; ++at) append_utf8(normalized_, static_cast<char32_t>(points_[at]));
    pass(normalized_);
  }

  void pass(const std::string& text) {
    if (!text.empty()) next_.text(text);
    held_.clear();
  }

  const int options_;
  std::string held_;
  size_t segment_ = 0;  // where in held_ the last segment begins
  std::vector<utf8proc_int32_t> points_;
  std::string normalized_;
};

}  // namespace

NormalizationForm::NormalizationForm(bool composes, bool compatible)
    : options_(UTF8PROC_STABLE | (composes ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
               (compatible ? UTF8PROC_COMPAT : 0)) {}

std::unique_ptr<TextStage> NormalizationForm::make_stage(TextStage& next) const {
  return std::make_unique<NormalizationStage>(options_, next);
}

}  // namespace headroom
