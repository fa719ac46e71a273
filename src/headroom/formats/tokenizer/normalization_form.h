// Unicode's normalization forms (UAX 15) as the tokenizers library has them: of Unicode 9, which leaves characters
// assigned since as they are. Streaming: what is held back is the text since the last character that nothing before it
// can combine with.
#pragma once

#include "headroom/formats/tokenizer/text_stage.h"

namespace headroom {

// A stretch of combining marks or the like of more bytes is cut there and normalized in parts. (Stream-Safe text has
// at most 30 marks in a row.)
inline constexpr size_t kMaxCombinedBytes = 1024;

class NormalizationForm : public TextComponent {
 public:
  // NFC and NFKC compose; NFKC and NFKD are compatible: ligatures, widths and the like become plain.
  NormalizationForm(bool composes, bool compatible);

  std::unique_ptr<TextStage> make_stage(TextStage& next) const override;

 private:
  int options_;
};

}  // namespace headroom
