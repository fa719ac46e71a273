// What the parsers of statements and of expressions share: the tokens, the names, and the bounds of a program.
#pragma once

#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "headroom/formats/chat/jinja_lexer.h"
#include "headroom/formats/chat/jinja_nodes.h"

namespace headroom::jinja {

class ParserState {
 public:
  ParserState(std::string_view source, const std::string& where);

  const Token& current() const { return current_; }
  const Token& ahead();  // the one behind current()
  Token take();          // current(), and goes on
  bool skip(std::string_view sign);
  bool skip_name(std::string_view name);
  void expect(std::string_view sign);
  std::string expect_name();
  // "the end of the template", "'%}'", "the name x": for messages.
  std::string describe() const;

  NameId intern(std::string_view name);
  NameId assign(std::string_view name);  // that the template itself gives a value
  void note_call(NameId name, int line);
  void check_calls() const;  // throws for a function that neither headroom nor the template has

  // A new node, counted.
  template <class Node, class... Args>
  std::unique_ptr<Node> make(int line, Args&&... args) {
    count_node(line);
    return std::make_unique<Node>(line, std::forward<Args>(args)...);
  }
  void count_node(int line);

  template <class... Args>
  [[noreturn]] void fail(int line, fmt::format_string<Args...> text, Args&&... args) const {
    lexer_.fail(line, fmt::format(text, std::forward<Args>(args)...));
  }
  template <class... Args>
  [[noreturn]] void fail_here(fmt::format_string<Args...> text, Args&&... args) const {
    lexer_.fail(current_.line, fmt::format(text, std::forward<Args>(args)...));
  }

  // One more level of brackets, operators or blocks; throws beyond the bound.
  class Level {
   public:
    explicit Level(ParserState& state);
    ~Level() { --state_.level_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    ParserState& state_;
  };

  Program program;

 private:
  Lexer lexer_;
  Token current_;
  std::optional<Token> ahead_;
  int64_t nodes_left_;
  int level_ = 0;
  std::map<std::string_view, NameId> ids_;
  std::set<NameId> assigned_;
  std::map<NameId, int> called_;  // where first
};

// `x`, or `a, b` as a tuple. Without `with_choice` an `if` ends the expression, as in a for statement.
ExpressionPtr parse_expressions(ParserState& state, bool with_choice);
ExpressionPtr parse_expression(ParserState& state);

}  // namespace headroom::jinja
