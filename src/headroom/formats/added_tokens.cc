#include "headroom/formats/added_tokens.h"

#include <algorithm>
#include <cstring>

namespace headroom {
namespace {

class AddedTokenStage : public TextFilter {
 public:
  AddedTokenStage(const AddedTokens& tokens, TextStage& next) : TextFilter(next), tokens_(tokens) {
    held_.reserve(kStageWindowBytes + AddedTokens::kMaxTokenBytes);
  }

  void text(std::string_view fragment) override {
    if (held_.empty()) {
      held_ = fragment.substr(split(fragment, false));
      return;
    }
    while (!fragment.empty()) {
      const size_t taken = std::min(fragment.size(), kStageWindowBytes);
      held_.append(fragment.substr(0, taken));
      fragment.remove_prefix(taken);
      held_.erase(0, split(held_, false));
    }
  }

  void end_piece() override {
    split(held_, true);
    held_.clear();
    next_.end_piece();
  }

 private:
  // Passes on what is decided and returns how many bytes that was; what is left is shorter than the longest token.
  size_t split(std::string_view text, bool at_end) {
    size_t passed = 0;
    for (size_t at = 0; (at = tokens_.find_candidate(text, at)) < text.size();) {
      const AddedTokens::Match match = tokens_.match(text.substr(at));
      if (match.undecided && !at_end) {
        pass(text.substr(passed, at - passed));
        return at;
      }
      if (match.length == 0) {
        ++at;
        continue;
      }
      pass(text.substr(passed, at - passed));
      next_.end_piece();
      next_.token(match.id);
      at += match.length;
      passed = at;
    }
    pass(text.substr(passed));
    return text.size();
  }

  void pass(std::string_view text) {
    if (!text.empty()) next_.text(text);
  }

  const AddedTokens& tokens_;
  std::string held_;
};

}  // namespace

AddedTokens::AddedTokens(std::vector<std::pair<std::string, int32_t>> tokens) : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end());
  for (const auto& [text, id] : tokens_) begins_token_[static_cast<uint8_t>(text[0])] = true;
}

AddedTokens::Match AddedTokens::match(std::string_view text) const {
  Match match;
  // The tokens that agree with the text so far are one range of the sorted list; each further byte narrows it.
  auto first = tokens_.begin();
  auto last = tokens_.end();
  for (size_t length = 0;; ++length) {
    if (first != last && first->first.size() == length) {
      match.length = length;
      match.id = first->second;
      ++first;
    }
    if (first == last) return match;
    if (length == text.size()) {
      match.undecided = true;
      return match;
    }
    const auto byte = static_cast<uint8_t>(text[length]);
    const auto byte_of = [&](const auto& token) { return static_cast<uint8_t>(token.first[length]); };
    first = std::partition_point(first, last, [&](const auto& token) { return byte_of(token) < byte; });
    last = std::partition_point(first, last, [&](const auto& token) { return byte_of(token) == byte; });
  }
}

size_t AddedTokens::find_candidate(std::string_view text, size_t from) const {
  while (from < text.size() && !begins_token_[static_cast<uint8_t>(text[from])]) ++from;
  return from;
}

std::unique_ptr<TextStage> AddedTokens::make_stage(TextStage& next) const {
  return std::make_unique<AddedTokenStage>(*this, next);
}

}  // namespace headroom
