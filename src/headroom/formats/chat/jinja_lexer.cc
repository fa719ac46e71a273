#include "headroom/formats/chat/jinja_lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "headroom/base/errors.h"
#include "headroom/formats/chat/jinja_text.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/tokenizer/utf8.h"

namespace headroom::jinja {
namespace {

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f); }

int digit_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

// Every line break as "\n", without the one that ends the source.
std::string normalize_lines(std::string_view source) {
  std::string result;
  result.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      result += source[i];
    } else if (i + 1 == source.size() || source[i + 1] != '\n') {
      result += '\n';
    }
  }
  if (result.ends_with('\n')) result.pop_back();
  return result;
}

}  // namespace

Lexer::Lexer(std::string_view source, const std::string& where) : source_(normalize_lines(source)), where_(where) {}

void Lexer::fail(int line, std::string_view words) const {
  throw InvalidInput("{}: chat template, line {}: {}", where_, line, words);
}

Token Lexer::next() { return inside_ == TokenKind::end ? next_outside() : next_inside(); }

Token Lexer::next_outside() {
  Token token;
  token.line = line_;
  token.kind = TokenKind::data;
  while (at_ < source_.size()) {
    size_t tag = at_;
    while ((tag = source_.find('{', tag)) != std::string::npos) {
      const char mark = tag + 1 < source_.size() ? source_[tag + 1] : '\0';
      if (mark == '{' || mark == '%' || mark == '#') break;
      ++tag;
    }
    std::string_view data = std::string_view(source_).substr(at_, std::min(tag, source_.size()) - at_);
    const auto lines = static_cast<int>(std::count(data.begin(), data.end(), '\n'));
    if (tag == std::string::npos) {
      token.text += data;
      at_ = source_.size();
      break;
    }
    const char kind = source_[tag + 1];
    const char control = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    if (control == '-') {
      data = strip_right(data);
    } else if (control != '+' && kind != '{') {
      const size_t line_begin = data.rfind('\n') + 1;  // 0 where there is none
      if ((line_begin > 0 || line_begins_) && strip_left(data.substr(line_begin)).empty()) {
        data = data.substr(0, line_begin);
      }
    }
    token.text += data;
    line_ += lines;
    at_ = tag + (control == '-' || control == '+' ? 3 : 2);
    if (kind == '#') {
      skip_comment();
      continue;
    }
    inside_ = kind == '{' ? TokenKind::output_begin : TokenKind::block_begin;
    begin_pending_ = true;
    return token.text.empty() ? next_inside() : token;
  }
  if (token.text.empty()) token.kind = TokenKind::end;
  return token;
}

void Lexer::skip_comment() {
  const size_t end = source_.find("#}", at_);
  if (end == std::string::npos) fail(line_, "a comment begins that does not end; expected #}");
  const char control = end > at_ ? source_[end - 1] : '\0';
  line_ += static_cast<int>(std::count(source_.begin() + at_, source_.begin() + end, '\n'));
  at_ = end + 2;
  const size_t behind = at_;
  if (control == '-') {
    skip_space();
  } else if (control != '+' && peek() == '\n') {
    ++at_;
    ++line_;
  }
  line_begins_ = at_ > behind && source_[at_ - 1] == '\n';
}

void Lexer::skip_space() {
  const std::string_view rest = std::string_view(source_).substr(at_);
  const size_t blanks = rest.size() - strip_left(rest).size();
  line_ += static_cast<int>(std::count(rest.begin(), rest.begin() + blanks, '\n'));
  at_ += blanks;
}

// "%}" or "}}" with its sign.
bool Lexer::at_end_mark(Token& token) {
  if (!brackets_.empty()) return false;
  const bool is_block = inside_ == TokenKind::block_begin;
  const char first = is_block ? '%' : '}';
  const char control = peek() == '-' || (peek() == '+' && is_block) ? peek() : '\0';
  const size_t mark = control != '\0' ? 1 : 0;
  if (peek(mark) != first || peek(mark + 1) != '}') return false;
  at_ += mark + 2;
  const size_t behind = at_;
  if (control == '-') {
    skip_space();
  } else if (control == '\0' && is_block && peek() == '\n') {
    ++at_;
    ++line_;
  }
  line_begins_ = at_ > behind && source_[at_ - 1] == '\n';
  token.kind = is_block ? TokenKind::block_end : TokenKind::output_end;
  inside_ = TokenKind::end;
  return true;
}

Token Lexer::next_inside() {
  Token token;
  if (begin_pending_) {
    begin_pending_ = false;
    token.kind = inside_;
    token.line = line_;
    return token;
  }
  while (at_ < source_.size() && is_blank(source_[at_])) line_ += source_[at_++] == '\n' ? 1 : 0;
  token.line = line_;
  if (at_ >= source_.size()) fail(line_, "the template ends inside of a tag");
  if (at_end_mark(token)) return token;
  const char c = peek();
  if (is_name_start(c)) {
    const size_t begin = at_;
    while (is_name_start(peek()) || is_digit(peek())) ++at_;
    token.kind = TokenKind::name;
    token.text = source_.substr(begin, at_ - begin);
  } else if (is_digit(c)) {
    take_number(token);
  } else if (c == '\'' || c == '"') {
    take_text(token);
  } else {
    take_sign(token);
  }
  return token;
}

void Lexer::take_sign(Token& token) {
  constexpr std::string_view kDouble[] = {"//", "**", "==", "!=", ">=", "<="};
  constexpr std::string_view kSingle = "+-/*%~[](){}><=.:|,;";
  token.kind = TokenKind::sign;
  const std::string_view rest = std::string_view(source_).substr(at_);
  const auto* two = std::find(std::begin(kDouble), std::end(kDouble), rest.substr(0, 2));
  if (two == std::end(kDouble) && kSingle.find(rest[0]) == std::string_view::npos) {
    const auto length = static_cast<size_t>(read_utf8(rest).length);
    fail(line_, fmt::format("unexpected character {}", printable(rest.substr(0, length))));
  }
  token.text = rest.substr(0, two != std::end(kDouble) ? 2 : 1);
  at_ += token.text.size();
  const char c = token.text[0];
  if (c == '(' || c == '[' || c == '{') brackets_ += c == '(' ? ')' : c == '[' ? ']' : '}';
  if (c == ')' || c == ']' || c == '}') {
    if (brackets_.empty()) fail(line_, fmt::format("unexpected '{}'", c));
    if (brackets_.back() != c) fail(line_, fmt::format("unexpected '{}', expected '{}'", c, brackets_.back()));
    brackets_.pop_back();
  }
}

void Lexer::take_number(Token& token) {
  std::string digits;
  const auto take_digits = [&](int base) {
    const size_t begin = digits.size();
    while (digit_value(peek()) < base || (peek() == '_' && digit_value(peek(1)) < base)) {
      if (peek() != '_') digits += peek();
      ++at_;
    }
    return digits.size() > begin;
  };
  token.kind = TokenKind::integer;
  int base = 10;
  const char mark = static_cast<char>(peek(1) | 0x20);
  if (peek() == '0' && (mark == 'x' || mark == 'o' || mark == 'b')) {
    base = mark == 'x' ? 16 : mark == 'o' ? 8 : 2;
    at_ += 2;
    if (!take_digits(base)) fail(line_, "a number has no digits");
  } else {
    take_digits(10);
    if (peek() == '.' && is_digit(peek(1))) {
      token.kind = TokenKind::real;
      digits += '.';
      ++at_;
      take_digits(10);
    }
    const size_t exponent = peek(1) == '+' || peek(1) == '-' ? 2 : 1;
    if ((peek() | 0x20) == 'e' && is_digit(peek(exponent))) {
      token.kind = TokenKind::real;
      digits += 'e';
      if (exponent == 2) digits += peek(1);
      at_ += exponent;
      take_digits(10);
    }
  }
  if (token.kind == TokenKind::real) {
    token.real = std::strtod(digits.c_str(), nullptr);
    return;
  }
  if (base == 10 && digits.size() > 1 && digits.find_first_not_of('0') != std::string::npos && digits[0] == '0') {
    fail(line_, "an integer begins with 0");
  }
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), token.integer, base);
  if (error != std::errc()) fail(line_, fmt::format("the integer {:.40} is too large", digits));
}

// The escapes of Python's string literals.
void Lexer::take_text(Token& token) {
  token.kind = TokenKind::text;
  const char mark = source_[at_++];
  for (;;) {
    if (at_ >= source_.size()) fail(token.line, "a text in quotes does not end");
    const char c = source_[at_++];
    if (c == mark) return;
    if (c == '\n') ++line_;
    if (c != '\\') {
      token.text += c;
      continue;
    }
    const char escape = peek();
    if (at_ >= source_.size()) fail(token.line, "a text in quotes does not end");
    ++at_;
    constexpr std::string_view kNames = "\\'\"abfnrtv\n";
    constexpr std::string_view kBytes = "\\'\"\a\b\f\n\r\t\v";
    const size_t known = kNames.find(escape);
    const size_t hex_digits = escape == 'x' ? 2 : escape == 'u' ? 4 : escape == 'U' ? 8 : 0;
    if (escape == '\n') {
      ++line_;
    } else if (known != std::string_view::npos) {
      token.text += kBytes[known];
    } else if (escape >= '0' && escape <= '7') {
      uint32_t code = static_cast<uint32_t>(digit_value(escape));
      for (int i = 0; i < 2 && digit_value(peek()) < 8; ++i) code = code * 8 + digit_value(source_[at_++]);
      append_utf8(token.text, code);
    } else if (hex_digits > 0) {
      uint32_t code = 0;
      for (size_t i = 0; i < hex_digits; ++i) {
        if (digit_value(peek()) >= 16) fail(line_, fmt::format("\\{} needs {} digits", escape, hex_digits));
        code = code * 16 + digit_value(source_[at_++]);
      }
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
        fail(line_, fmt::format("\\{} names {:#x}, which is no character", escape, code));
      }
      append_utf8(token.text, code);
    } else if (escape == 'N') {
      fail(line_, "\\N{...} in a text is not supported; write the character");
    } else {
      token.text += '\\';
      token.text += escape;
    }
  }
}

}  // namespace headroom::jinja
