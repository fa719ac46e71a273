// Added tokens: strings such as <s> that become one id wherever they stand in a text, before any other rule sees them.
// Of several that begin at one place the longest is taken; the leftmost place wins.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/formats/tokenizer/text_stage.h"

namespace headroom {

struct AddedToken {
  std::string text;
  int32_t id = -1;
  // Only where no letter, digit or the like (\w) touches it. Where one does, the text is none of any token.
  bool single_word = false;
  // The token swallows the white space before it, of at most kStageWindowBytes, and after it.
  bool lstrip = false;
  bool rstrip = false;
};

class AddedTokens : public TextComponent {
 public:
  static constexpr size_t kMaxTokenBytes = 1024;

  // Texts of 1 to kMaxTokenBytes bytes, all different. `where` begins the sentence of the InvalidInput for two equal
  // ones.
  AddedTokens(std::vector<AddedToken> tokens, const std::string& where);

  struct Match {
    const AddedToken* token = nullptr;  // null: none begins here
    bool undecided = false;             // a longer one may begin here, if the text goes on
  };
  // The longest token that `text` begins with.
  Match match(std::string_view text) const;
  // Where in `text`, from `from` on, a token might begin; its size if nowhere.
  size_t find_candidate(std::string_view text, size_t from) const;
  bool any_strips_left() const { return any_strips_left_; }

  std::unique_ptr<TextStage> make_stage(TextStage& next) const override;

 private:
  std::vector<AddedToken> tokens_;  // sorted by text
  bool begins_token_[256] = {};
  bool any_strips_left_ = false;
};

}  // namespace headroom
