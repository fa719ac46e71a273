// Reading and writing UTF-8 one character at a time. Input is never trusted: surrogates, overlong forms and bytes that
// begin nothing are told apart from a character that the text merely ends inside of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace headroom {

enum class Utf8State : uint8_t { valid, truncated, invalid };

struct Utf8Char {
  Utf8State state;
  // Bytes taken. Invalid: the longest beginning of a character that is there (Unicode 3.9, "maximal subpart"), at
  // least 1. Truncated: all bytes that are there.
  int length;
  char32_t code;  // only if valid
};

// The character that `text`, which is not empty, begins with.
Utf8Char read_utf8(std::string_view text);

void append_utf8(std::string& text, char32_t code);

// Appends `bytes` with one U+FFFD for each maximal invalid part, as Rust's from_utf8_lossy and browsers do. Returns how
// many bytes were taken: without `at_end`, a character cut off by the end is left for the next call.
size_t append_lossy_utf8(std::string& text, std::string_view bytes, bool at_end);

}  // namespace headroom
