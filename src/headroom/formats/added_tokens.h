// Added tokens: strings such as <s> that become one id wherever they stand in a text, before any other rule sees them.
// Of several that begin at one place the longest is taken; the leftmost place wins.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "headroom/formats/text_stage.h"

namespace headroom {

class AddedTokens : public TextComponent {
 public:
  static constexpr size_t kMaxTokenBytes = 1024;

  // Texts of 1 to kMaxTokenBytes bytes, all different.
  explicit AddedTokens(std::vector<std::pair<std::string, int32_t>> tokens);

  bool empty() const { return tokens_.empty(); }

  struct Match {
    size_t length = 0;  // 0: none begins here
    int32_t id = -1;
    bool undecided = false;  // a longer one may begin here, if the text goes on
  };
  // The longest token that `text` begins with.
  Match match(std::string_view text) const;
  // Where in `text`, from `from` on, a token might begin; its size if nowhere.
  size_t find_candidate(std::string_view text, size_t from) const;

  std::unique_ptr<TextStage> make_stage(TextStage& next) const override;

 private:
  std::vector<std::pair<std::string, int32_t>> tokens_;  // sorted by text
  bool begins_token_[256] = {};
};

}  // namespace headroom
