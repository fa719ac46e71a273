#include "headroom/formats/chat/jinja_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "headroom/formats/tokenizer/utf8.h"

namespace headroom::jinja {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Code points beyond ASCII that are sure to have no case: scripts without it, symbols, emoji, ideographs.
constexpr Range kCaseless[] = {{0x80, 0xa9},       {0x590, 0x109f},   {0x1100, 0x139f}, {0x1400, 0x1c7f},
                               {0x2000, 0x20ff},   {0x2190, 0x24b5},  {0x24ea, 0x2bff}, {0x2e80, 0xa63f},
                               {0xa800, 0xab2f},   {0xabc0, 0xfaff},  {0xfb1d, 0xff20}, {0xff5b, 0xffff},
                               {0x1f000, 0x1ffff}, {0x20000, 0x3ffff}};

// What repr() escapes beyond ASCII: controls, format characters, separators, private use (Unicode 15, Cc Cf Zs Zl Zp
// Co).
constexpr Range kUnprintable[] = {
    {0x7f, 0xa0},       {0xad, 0xad},       {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},
    {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},     {0x1680, 0x1680},   {0x180e, 0x180e},
    {0x2000, 0x200f},   {0x2028, 0x202f},   {0x205f, 0x206f},   {0x3000, 0x3000},   {0xd800, 0xf8ff},
    {0xfeff, 0xfeff},   {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
    {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe00ff}, {0xf0000, 0x10ffff}};

template <size_t N>
bool is_in(const Range (&ranges)[N], char32_t code) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [&](const Range& range) { return code >= range.first && code <= range.last; });
}

bool is_continuation(char byte) { return (static_cast<uint8_t>(byte) & 0xc0) == 0x80; }

// The last character of `text`, which is not empty.
std::string_view last_character(std::string_view text) {
  size_t begin = text.size() - 1;
  while (begin > 0 && is_continuation(text[begin])) --begin;
  return text.substr(begin);
}

std::string_view first_character(std::string_view text) {
  return text.substr(0, static_cast<size_t>(read_utf8(text).length));
}

char32_t code_of(std::string_view character) { return read_utf8(character).code; }

bool has_case_beyond_ascii(std::string_view text) {
  while (!text.empty()) {
    const Utf8Char character = read_utf8(text);
    if (character.code >= 0x80 && !is_in(kCaseless, character.code)) return true;
    text.remove_prefix(static_cast<size_t>(character.length));
  }
  return false;
}

}  // namespace

int64_t count_characters(std::string_view text) {
  return static_cast<int64_t>(text.size()) - std::count_if(text.begin(), text.end(), is_continuation);
}

size_t bytes_of_characters(std::string_view text, int64_t characters) {
  size_t at = 0;
  for (; characters > 0; --characters) {
    ++at;
    while (at < text.size() && is_continuation(text[at])) ++at;
  }
  return at;
}

bool is_space(char32_t code) {
  return (code >= 9 && code <= 13) || (code >= 0x1c && code <= 0x20) || code == 0x85 || code == 0xa0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f ||
         code == 0x205f || code == 0x3000;
}

std::string_view strip_left(std::string_view text) {
  while (!text.empty() && is_space(code_of(text))) text.remove_prefix(first_character(text).size());
  return text;
}

std::string_view strip_right(std::string_view text) {
  while (!text.empty() && is_space(code_of(last_character(text)))) text.remove_suffix(last_character(text).size());
  return text;
}

std::string_view strip(std::string_view text, std::string_view characters, bool left, bool right) {
  const auto taken = [&](std::string_view character) { return characters.find(character) != std::string_view::npos; };
  while (left && !text.empty() && taken(first_character(text))) text.remove_prefix(first_character(text).size());
  while (right && !text.empty() && taken(last_character(text))) text.remove_suffix(last_character(text).size());
  return text;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator, int64_t most, bool from_right) {
  std::vector<std::string_view> parts;
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t at = from_right ? text.rfind(separator) : text.find(separator);
    if (at == std::string_view::npos) break;
    const std::string_view behind = text.substr(at + separator.size());
    parts.push_back(from_right ? behind : text.substr(0, at));
    text = from_right ? text.substr(0, at) : behind;
  }
  parts.push_back(text);
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_at_space(std::string_view text, int64_t most, bool from_right) {
  std::vector<std::string_view> parts;
  for (;;) {
    text = from_right ? strip_right(text) : strip_left(text);
    if (text.empty()) break;
    if (most >= 0 && static_cast<int64_t>(parts.size()) == most) {
      parts.push_back(text);  // with the whitespace of its far side
      break;
    }
    std::string_view rest = text;
    if (from_right) {
      while (!rest.empty() && !is_space(code_of(last_character(rest)))) rest.remove_suffix(last_character(rest).size());
      parts.push_back(text.substr(rest.size()));
    } else {
      while (!rest.empty() && !is_space(code_of(rest))) rest.remove_prefix(first_character(rest).size());
      parts.push_back(text.substr(0, text.size() - rest.size()));
    }
    text = rest;
  }
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  const auto ends_line = [](char32_t code) {
    return (code >= 10 && code <= 13) || (code >= 0x1c && code <= 0x1e) || code == 0x85 || code == 0x2028 ||
           code == 0x2029;
  };
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const Utf8Char character = read_utf8(text.substr(at));
    const size_t line_end = at;
    at += static_cast<size_t>(character.length);
    if (!ends_line(character.code)) continue;
    if (character.code == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(text.substr(begin, (keep_ends ? at : line_end) - begin));
    begin = at;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

namespace {

// Calls between(part, whether `old` follows it) with what stays, in order, and says how often `old` was found.
template <class Between>
int64_t each_part(std::string_view text, std::string_view old, int64_t most, const Between& between) {
  int64_t found = 0;
  if (old.empty()) {  // before each character and at the end
    while (!text.empty() && (most < 0 || found < most)) {
      between({}, true);
      between(first_character(text), false);
      text.remove_prefix(first_character(text).size());
      ++found;
    }
    if (text.empty() && (most < 0 || found < most)) {
      between({}, true);
      ++found;
    }
    between(text, false);
    return found;
  }
  for (; most < 0 || found < most; ++found) {
    const size_t at = text.find(old);
    if (at == std::string_view::npos) break;
    between(text.substr(0, at), true);
    text.remove_prefix(at + old.size());
  }
  between(text, false);
  return found;
}

}  // namespace

int64_t bytes_of_replace(std::string_view text, std::string_view old, std::string_view replacement, int64_t most) {
  const int64_t found = each_part(text, old, most, [](std::string_view, bool) {});
  return static_cast<int64_t>(text.size()) +
         found * (static_cast<int64_t>(replacement.size()) - static_cast<int64_t>(old.size()));
}

std::string replace(std::string_view text, std::string_view old, std::string_view replacement, int64_t most) {
  std::string result;
  each_part(text, old, most, [&](std::string_view part, bool replaced) {
    result += part;
    if (replaced) result += replacement;
  });
  return result;
}

std::optional<std::string> to_upper(std::string_view text) {
  if (has_case_beyond_ascii(text)) return std::nullopt;
  std::string result(text);
  for (char& byte : result) byte = byte >= 'a' && byte <= 'z' ? static_cast<char>(byte - 32) : byte;
  return result;
}

std::optional<std::string> to_lower(std::string_view text) {
  if (has_case_beyond_ascii(text)) return std::nullopt;
  std::string result(text);
  for (char& byte : result) byte = byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
  return result;
}

std::string quote(std::string_view text) {
  const bool only_single = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char mark = only_single ? '"' : '\'';
  std::string result(1, mark);
  while (!text.empty()) {
    const std::string_view character = first_character(text);
    const char32_t code = code_of(character);
    text.remove_prefix(character.size());
    if (code == static_cast<char32_t>(mark) || code == '\\') {
      result += '\\';
      result += character;
    } else if (code == '\n' || code == '\r' || code == '\t') {
      result += code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t";
    } else if (code >= 0x20 && !is_in(kUnprintable, code)) {
      result += character;
    } else {
      const auto number = static_cast<uint32_t>(code);
      result += number < 0x100     ? fmt::format("\\x{:02x}", number)
                : number < 0x10000 ? fmt::format("\\u{:04x}", number)
                                   : fmt::format("\\U{:08x}", number);
    }
  }
  return result + mark;
}

std::string show_real(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  std::string digits = fmt::format("{}", number);
  if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
  return digits;
}

}  // namespace headroom::jinja
