#include "headroom/formats/tokenizer/character_class.h"

#include "headroom/formats/tokenizer/utf8.h"

namespace headroom {

bool is_white_space(char32_t code) {
  if (code < 0x80) return code == ' ' || (code >= '\t' && code <= '\r');
  return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

size_t leading_white_space(std::string_view text) {
  size_t size = 0;
  while (size < text.size()) {
    const Utf8Char next = read_utf8(text.substr(size));
    if (!is_white_space(next.code)) break;
    size += next.length;
  }
  return size;
}

size_t trailing_white_space(std::string_view text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view last = last_character(rest);
    if (!is_white_space(read_utf8(last).code)) break;
    rest.remove_suffix(last.size());
  }
  return text.size() - rest.size();
}

std::string_view last_character(std::string_view text) {
  size_t begin = text.empty() ? 0 : text.size() - 1;
  while (begin > 0 && (text[begin] & 0xC0) == 0x80) --begin;
  return text.substr(begin);
}

}  // namespace headroom
