#include "headroom/formats/tokenizer/trailing_spaces.h"

#include "headroom/formats/tokenizer/character_class.h"

namespace headroom {
namespace {

bool is_inside_character(char byte) { return (byte & 0xC0) == 0x80; }

}  // namespace

void TrailingSpaces::pass(std::string_view text, TextStage& next) {
  const size_t spaces = trailing_white_space(text);
  if (spaces < text.size()) {
    release(next);
    next.text(text.substr(0, text.size() - spaces));
  }
  hold(text.substr(text.size() - spaces), next);
}

void TrailingSpaces::release(TextStage& next) {
  if (!held_.empty()) next.text(held_);
  held_.clear();
}

void TrailingSpaces::hold(std::string_view spaces, TextStage& next) {
  while (!spaces.empty()) {
    size_t taken = std::min(spaces.size(), kStageWindowBytes);
    while (taken < spaces.size() && is_inside_character(spaces[taken])) --taken;
    held_ += spaces.substr(0, taken);
    spaces.remove_prefix(taken);
    if (held_.size() <= kStageWindowBytes) continue;
    size_t excess = held_.size() - kStageWindowBytes;
    while (is_inside_character(held_[excess])) ++excess;
    next.text(std::string_view(held_).substr(0, excess));
    held_.erase(0, excess);
  }
}

}  // namespace headroom
