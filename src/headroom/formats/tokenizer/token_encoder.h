// Text to ids, streaming: a text of any length, given in fragments of any size, takes the same memory and gets the same
// ids as in one call. What each stage holds back is fixed (text_stage.h, bpe_stage.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "headroom/formats/tokenizer/bpe_stage.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/formats/tokenizer/utf8_gate.h"

namespace headroom {

class TokenEncoder {
 public:
  // The tokenizer must outlive the encoder.
  explicit TokenEncoder(const Tokenizer& tokenizer);

  // One text: begin, text any number of times, finish. `sink` must live until finish() returns. All throw what the sink
  // throws, and InvalidInput for a text that the tokenizer's regular expressions cannot be matched on; the encoder is
  // of no use then. Nothing is allocated after construction.
  void begin(bool add_special_tokens, const TokenSink& sink);
  void text(std::string_view bytes);
  void finish();

 private:
  const TokenizerParts& parts_;
  BpeStage bpe_;
  std::vector<std::unique_ptr<TextStage>> stages_;  // last one first
  std::optional<Utf8Gate> gate_;                    // in front of the first stage
  const TokenSink* sink_ = nullptr;
  bool add_special_tokens_ = false;
};

}  // namespace headroom
