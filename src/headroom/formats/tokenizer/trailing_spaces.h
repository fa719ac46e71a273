// White space at the end of what has come of a text so far, held back because something that follows may swallow it:
// the last kStageWindowBytes of it, whatever the fragments it came in.
#pragma once

#include <string>
#include <string_view>

#include "headroom/formats/tokenizer/text_stage.h"

namespace headroom {

class TrailingSpaces {
 public:
  TrailingSpaces() { held_.reserve(2 * kStageWindowBytes); }

  // Hands `text` to `next`, and what was held before it, but for the white space at its end.
  void pass(std::string_view text, TextStage& next);
  // Hands on what is held, or drops it.
  void release(TextStage& next);
  void drop() { held_.clear(); }

 private:
  void hold(std::string_view spaces, TextStage& next);

  std::string held_;
};

}  // namespace headroom
