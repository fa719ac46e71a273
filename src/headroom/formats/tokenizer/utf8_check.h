// Whether bytes are well-formed UTF-8 (The Unicode Standard, table 3-7), fed one at a time so that text of any length
// passes through a fixed buffer.
#pragma once

#include <cstdint>

namespace headroom {

class Utf8Check {
 public:
  // False if `byte` cannot follow what came before; the check must not be used afterwards.
  bool feed(uint8_t byte) {
    if (missing_ == 0) return begin(byte);
    if (byte < low_ || byte > high_) return false;
    low_ = 0x80;
    high_ = 0xbf;
    --missing_;
    return true;
  }
  // The bytes so far end with a whole character.
  bool is_between_characters() const { return missing_ == 0; }

 private:
  bool begin(uint8_t byte) {
    if (byte < 0x80) return true;
    if (byte < 0xc2 || byte > 0xf4) return false;
    missing_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte == 0xe0) low_ = 0xa0;   // no overlong forms
    if (byte == 0xed) high_ = 0x9f;  // no surrogates
    if (byte == 0xf0) low_ = 0x90;   // no overlong forms
    if (byte == 0xf4) high_ = 0x8f;  // nothing above U+10FFFF
    return true;
  }

  int missing_ = 0;
  uint8_t low_ = 0x80;
  uint8_t high_ = 0xbf;
};

}  // namespace headroom
