#include "headroom/formats/tokenizer/utf8.h"

namespace headroom {

Utf8Char read_utf8(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {Utf8State::valid, 1, lead};
  if (lead < 0xC2 || lead > 0xF4) return {Utf8State::invalid, 1, 0};
  const int length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF (Unicode, table 3-7).
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  char32_t code = lead & (0xFF >> (length + 1));
  for (int i = 1; i < length; ++i) {
    if (static_cast<size_t>(i) == text.size()) return {Utf8State::truncated, i, 0};
    const uint8_t next = byte(i);
    if (next < (i == 1 ? low : 0x80) || next > (i == 1 ? high : 0xBF)) return {Utf8State::invalid, i, 0};
    code = code << 6 | (next & 0x3F);
  }
  return {Utf8State::valid, length, code};
}

void append_utf8(std::string& text, char32_t code) {
  const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xE0 | code >> 12);
    } else {
      put(0xF0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3F));
    }
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

size_t append_lossy_utf8(std::string& text, std::string_view bytes, bool at_end) {
  size_t taken = 0;
  while (taken < bytes.size()) {
    const Utf8Char next = read_utf8(bytes.substr(taken));
    if (next.state == Utf8State::truncated && !at_end) break;
    if (next.state == Utf8State::valid) {
      text.append(bytes, taken, next.length);
    } else {
      text += "\xEF\xBF\xBD";
    }
    taken += next.length;
  }
  return taken;
}

}  // namespace headroom
