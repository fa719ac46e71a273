#include "headroom/formats/tokenizer/added_tokens.h"

#include <algorithm>
#include <optional>

#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/character_class.h"
#include "headroom/formats/tokenizer/trailing_spaces.h"
#include "headroom/formats/tokenizer/utf8.h"

namespace headroom {
namespace {

bool begins_with_word(std::string_view text) { return !text.empty() && is_word_character(read_utf8(text).code); }

bool ends_in_word(std::string_view text) { return begins_with_word(last_character(text)); }

class AddedTokenStage : public TextFilter {
 public:
  AddedTokenStage(const AddedTokens& tokens, TextStage& next) : TextFilter(next), tokens_(tokens) {
    held_.reserve(kStageWindowBytes + AddedTokens::kMaxTokenBytes);
    if (tokens.any_strips_left()) spaces_.emplace();
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
    if (spaces_) spaces_->release(next_);
    before_.clear();
    stripping_ = false;
    next_.end_piece();
  }

 private:
  // Passes on what is decided and returns how many bytes that was; what is left is shorter than the longest token and
  // the character after it.
  size_t split(std::string_view text, bool at_end) {
    size_t passed = 0;
    for (size_t at = 0; (at = tokens_.find_candidate(text, at)) < text.size();) {
      const AddedTokens::Match match = tokens_.match(text.substr(at));
      const AddedToken* token = match.token;
      const size_t end = token == nullptr ? at : at + token->text.size();
      const bool next_matters = token != nullptr && token->single_word;
      if (!at_end && (match.undecided || (next_matters && end == text.size()))) {
        pass(text.substr(passed, at - passed));
        return at;
      }
      if (token == nullptr) {
        ++at;
        continue;
      }
      pass(text.substr(passed, at - passed));
      if (next_matters && (ends_in_word(before_) || begins_with_word(text.substr(end)))) {
        pass(token->text);
      } else {
        found(*token);
      }
      at = passed = end;
    }
    pass(text.substr(passed));
    return text.size();
  }

  void found(const AddedToken& token) {
    if (token.lstrip) spaces_->drop();
    if (spaces_) spaces_->release(next_);
    next_.end_piece();
    next_.token(token.id);
    remember(token.text);
    stripping_ = token.rstrip;
  }

  void pass(std::string_view text) {
    if (text.empty()) return;
    remember(text);
    if (stripping_) {
      text.remove_prefix(leading_white_space(text));
      if (text.empty()) return;
      stripping_ = false;
    }
    if (spaces_) {
      spaces_->pass(text, next_);
    } else {
      next_.text(text);
    }
  }

  void remember(std::string_view text) { before_ = last_character(text); }

  const AddedTokens& tokens_;
  std::string held_;
  std::string before_;                    // the last character before what is held, if there is one
  std::optional<TrailingSpaces> spaces_;  // where a token may swallow what stands before it
  bool stripping_ = false;                // a token swallows the white space that comes
};

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const std::string& where) : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(), [](const auto& a, const auto& b) { return a.text < b.text; });
  for (size_t at = 0; at < tokens_.size(); ++at) {
    const AddedToken& token = tokens_[at];
    if (at > 0 && tokens_[at - 1].text == token.text) {
      throw InvalidInput("{}: the added tokens with ids {} and {} are both \"{:.80}\" in a text", where,
                         tokens_[at - 1].id, token.id, token.text);
    }
    begins_token_[static_cast<uint8_t>(token.text[0])] = true;
    any_strips_left_ = any_strips_left_ || token.lstrip;
  }
}

AddedTokens::Match AddedTokens::match(std::string_view text) const {
  Match match;
  // The tokens that agree with the text so far are one range of the sorted list; each further byte narrows it.
  auto first = tokens_.begin();
  auto last = tokens_.end();
  for (size_t length = 0;; ++length) {
    if (first != last && first->text.size() == length) {
      match.token = &*first;
      ++first;
    }
    if (first == last) return match;
    if (length == text.size()) {
      match.undecided = true;
      return match;
    }
    const auto byte = static_cast<uint8_t>(text[length]);
    const auto byte_of = [&](const AddedToken& token) { return static_cast<uint8_t>(token.text[length]); };
    first = std::partition_point(first, last, [&](const AddedToken& token) { return byte_of(token) < byte; });
    last = std::partition_point(first, last, [&](const AddedToken& token) { return byte_of(token) == byte; });
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
