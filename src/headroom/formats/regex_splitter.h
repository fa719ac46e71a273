// A pre-tokenizer that cuts text wherever a regular expression matches: each match and each stretch between two matches
// is a piece (Split with behavior Isolated in the tokenizers library).
//
// Streaming is exact: PCRE2's hard partial matching says when a match at the end of the window could turn out otherwise
// with more text, and then the window is refilled before deciding. Only one match longer than the window (16 KiB) is
// cut where the window ends.
#pragma once

#include <string>

#include "headroom/formats/text_stage.h"

namespace headroom {

class RegexSplitter : public TextComponent {
 public:
  // `pattern` is Oniguruma's, as tokenizer.json has it. Throws InvalidInput beginning with `where` if it is
  // unsupported, wrong, too large, or may match nothing. While matching, a pattern that needs more than 256 KiB of
  // stack or ten million steps for one match throws InvalidInput as well.
  RegexSplitter(const std::string& pattern, std::string where);
  ~RegexSplitter() override;

  std::unique_ptr<TextStage> make_stage(TextStage& next) const override;

 private:
  void* code_;
  std::string where_;
};

// A pattern that matches exactly `literal`.
std::string quote_regex(const std::string& literal);

}  // namespace headroom
