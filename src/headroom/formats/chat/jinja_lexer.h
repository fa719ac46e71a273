// A template's source as tokens, one at a time, as jinja2's lexer cuts it with trim_blocks and lstrip_blocks: the line
// break behind a block and the blanks before it are gone, "-" takes all whitespace on its side, "+" keeps it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headroom::jinja {

enum class TokenKind : uint8_t {
  data,
  output_begin,
  output_end,
  block_begin,
  block_end,
  name,
  text,
  integer,
  real,
  sign,  // an operator or a bracket
  end,
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;  // of a name or a sign as written; the value of a text; data
  int64_t integer = 0;
  double real = 0;
  int line = 1;

  bool is(std::string_view sign) const { return kind == TokenKind::sign && text == sign; }
  bool is_name(std::string_view name) const { return kind == TokenKind::name && text == name; }
};

class Lexer {
 public:
  // `source`: valid UTF-8. `where` begins messages. Both are borrowed.
  Lexer(std::string_view source, const std::string& where);

  // Throws InvalidInput naming the line.
  Token next();

  [[noreturn]] void fail(int line, std::string_view words) const;

 private:
  Token next_outside();
  Token next_inside();
  bool at_end_mark(Token& token);
  void take_sign(Token& token);
  void take_text(Token& token);
  void take_number(Token& token);
  void skip_comment();
  void skip_space();
  char peek(size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }

  std::string source_;  // with "\n" for every line break
  const std::string& where_;
  size_t at_ = 0;
  int line_ = 1;
  TokenKind inside_ = TokenKind::end;  // output_begin or block_begin, while inside of one
  bool begin_pending_ = false;         // its begin is the next token
  std::string brackets_;               // that are to close
  bool line_begins_ = true;            // the last tag took the line break behind it
};

}  // namespace headroom::jinja
