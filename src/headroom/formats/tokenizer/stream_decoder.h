// Ids to text, one at a time, for writing to a terminal or a client as they come: no fragment ends inside a character.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "headroom/formats/tokenizer/piece_decoder.h"
#include "headroom/formats/tokenizer/tokenizer.h"

namespace headroom {

class StreamDecoder {
 public:
  // The tokenizer must outlive the decoder.
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens);

  // The text that is complete now, often empty; valid UTF-8 with U+FFFD where the ids stand for something else. Good
  // until the next call.
  std::string_view push(int32_t id);
  // What is left: U+FFFD if the ids ended inside a character. The next push begins a new text.
  std::string_view finish();
  // Whoever reads knows the text so far already: of what is held back only the beginning of a character still comes.
  void skip_held() { decoding_.skip_held(); }

 private:
  const TokenizerParts& parts_;
  bool skip_special_tokens_;
  TextDecoding decoding_;
  std::string piece_;
  std::string pending_;  // bytes of a character that is not complete
  std::string text_;
};

}  // namespace headroom
