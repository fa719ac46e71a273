// A pre-tokenizer that cuts text by the matches of a regular expression: Split of the tokenizers library. What becomes
// of the matches (or, inverted, of what lies between them) is the behavior.
#pragma once

#include <optional>
#include <string>

#include "headroom/formats/tokenizer/regex_pattern.h"

namespace headroom {

// What is matched is the delimiter, what lies between two matches a part.
enum class SplitBehavior : uint8_t {
  isolated,              // delimiters and parts are pieces
  removed,               // delimiters are dropped
  merged_with_previous,  // a delimiter belongs to the part before it
  merged_with_next,      // a delimiter belongs to the part after it
  contiguous             // as isolated, but delimiters that touch are one piece
};
// By its name in tokenizer.json: "Isolated", "MergedWithPrevious", ...
std::optional<SplitBehavior> split_behavior(std::string_view name);

class RegexSplitter : public TextComponent {
 public:
  // As RegexPattern. `invert`: matches are the parts.
  RegexSplitter(const std::string& pattern, std::string where, SplitBehavior behavior = SplitBehavior::isolated,
                bool invert = false);

  std::unique_ptr<TextStage> make_stage(TextStage& next) const override;

 private:
  RegexPattern pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

}  // namespace headroom
