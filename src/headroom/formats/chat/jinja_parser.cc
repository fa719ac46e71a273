#include "headroom/formats/chat/jinja_parser.h"

#include <algorithm>
#include <initializer_list>

#include "headroom/formats/chat/jinja_builtins.h"
#include "headroom/formats/chat/jinja_parser_state.h"
#include "headroom/formats/chat/jinja_statements.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom::jinja {
namespace {

constexpr int kMaxLevel = 120;       // a bracket takes three
constexpr int64_t kNodeBytes = 192;  // the largest node, its names, the heap's own

// Some 600 nodes are usual in 4 KiB of source.
int64_t max_nodes(int64_t source_bytes) { return 1024 + source_bytes / 4; }

class StatementParser {
 public:
  explicit StatementParser(ParserState& state) : state_(state) {}

  // Up to a block that begins with one of `ends`, whose name is taken; without any, to the end of the template.
  Body parse_body(std::initializer_list<std::string_view> ends, std::string* end = nullptr) {
    const ParserState::Level level(state_);
    const int opened = state_.current().line;
    Body body;
    for (;;) {
      const Token& token = state_.current();
      if (token.kind == TokenKind::end) {
        if (ends.size() == 0) return body;
        state_.fail(opened, "a block begins here that does not end; expected {{% {} %}}", *(ends.end() - 1));
      }
      if (token.kind == TokenKind::data) {
        Token data = state_.take();
        body.push_back(state_.make<Data>(data.line, std::move(data.text)));
      } else if (token.kind == TokenKind::output_begin) {
        const int line = state_.take().line;
        ExpressionPtr value = parse_expressions(state_, true);
        expect(TokenKind::output_end, "}}");
        body.push_back(state_.make<Output>(line, std::move(value)));
      } else {
        state_.take();
        if (state_.current().kind != TokenKind::name)
          state_.fail_here("expected the name of a tag, got {}", state_.describe());
        const Token tag = state_.take();
        if (std::find(ends.begin(), ends.end(), tag.text) != ends.end()) {
          if (end != nullptr) *end = tag.text;
          return body;
        }
        body.push_back(parse_statement(tag));
      }
    }
  }

 private:
  std::unique_ptr<const Statement> parse_statement(const Token& tag) {
    if (tag.text == "if") return parse_if(tag.line);
    if (tag.text == "for") return parse_for(tag.line);
    if (tag.text == "set") return parse_set(tag.line);
    if (tag.text == "macro") return parse_macro(tag.line);
    if (tag.text == "generation") return parse_generation(tag.line);
    if (tag.text == "break" || tag.text == "continue") {
      if (loops_ == 0) state_.fail(tag.line, "{{% {} %}} outside of a loop", tag.text);
      expect_block_end();
      return state_.make<LoopControl>(tag.line, tag.text == "break" ? Flow::end_loop : Flow::end_pass);
    }
    constexpr std::string_view kUnsupported[] = {"autoescape", "block",   "call",  "do",  "extends", "filter", "from",
                                                 "import",     "include", "print", "raw", "trans",   "with"};
    if (std::find(std::begin(kUnsupported), std::end(kUnsupported), tag.text) != std::end(kUnsupported)) {
      state_.fail(tag.line, "the tag {{% {} %}} is not supported", tag.text);
    }
    state_.fail(tag.line, "unknown tag {{% {} %}}", printable(tag.text));
  }

  std::unique_ptr<const Statement> parse_if(int line) {
    auto node = state_.make<If>(line);
    for (std::string end = "elif"; end != "endif";) {
      if (end == "else") {
        expect_block_end();
        node->otherwise = parse_body({"endif"}, &end);
      } else {
        state_.count_node(line);
        ExpressionPtr condition = parse_expressions(state_, false);
        expect_block_end();
        Body body = parse_body({"elif", "else", "endif"}, &end);
        node->branches.emplace_back(std::move(condition), std::move(body));
      }
    }
    expect_block_end();
    return node;
  }

  std::unique_ptr<const Statement> parse_for(int line) {
    auto node = state_.make<For>(line);
    node->target = parse_target(false);
    if (!state_.skip_name("in")) state_.fail_here("expected 'in', got {}", state_.describe());
    node->items = parse_expressions(state_, false);
    if (state_.skip_name("if")) node->condition = parse_expression(state_);
    if (state_.current().is_name("recursive")) state_.fail_here("a recursive for loop is not supported");
    node->loop = state_.intern("loop");
    expect_block_end();
    ++loops_;
    std::string end;
    node->body = parse_body({"else", "endfor"}, &end);
    --loops_;
    if (end == "else") {
      expect_block_end();
      node->otherwise = parse_body({"endfor"});
    }
    expect_block_end();
    return node;
  }

  std::unique_ptr<const Statement> parse_set(int line) {
    Target target = parse_target(true);
    if (state_.skip("=")) {
      auto node = state_.make<Set>(line);
      node->target = std::move(target);
      node->value = parse_expressions(state_, true);
      expect_block_end();
      return node;
    }
    if (state_.current().is("|")) state_.fail_here("a filter on a set block is not supported");
    auto node = state_.make<SetBlock>(line);
    node->target = std::move(target);
    expect_block_end();
    node->body = parse_apart("endset");
    return node;
  }

  std::unique_ptr<const Statement> parse_macro(int line) {
    if (inside_apart_ > 0 || loops_ > 0) {
      state_.fail(line, "a macro inside of a loop, a macro or a block is not supported; define it at the top");
    }
    auto node = state_.make<MacroDefinition>(line);
    node->macro.name = state_.expect_name();
    node->name = state_.assign(node->macro.name);
    state_.expect("(");
    while (!state_.current().is(")")) {
      if (!node->macro.parameters.empty()) state_.expect(",");
      if (state_.current().is(")")) break;
      state_.count_node(line);
      node->macro.parameters.push_back(state_.assign(state_.expect_name()));
      if (state_.skip("=")) {
        node->macro.defaults.push_back(parse_expression(state_));
      } else if (!node->macro.defaults.empty()) {
        state_.fail_here("a parameter without a default follows one that has a default");
      }
    }
    state_.expect(")");
    expect_block_end();
    node->macro.body = parse_apart("endmacro");
    return node;
  }

  std::unique_ptr<const Statement> parse_generation(int line) {
    if (inside_apart_ > 0) {
      state_.fail(line, "{{% generation %}} inside of a macro or a block that is set, or of itself, is not supported");
    }
    auto node = state_.make<Generation>(line);
    state_.program.marks_generation = true;
    expect_block_end();
    node->body = parse_apart("endgeneration");
    return node;
  }

  // A body that is a function of its own: loops around it cannot be left from inside.
  Body parse_apart(std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    ++inside_apart_;
    Body body = parse_body({end});
    --inside_apart_;
    loops_ = loops;
    expect_block_end();
    return body;
  }

  Target parse_target(bool with_member) {
    std::vector<Target> parts;
    bool is_list = false;
    const bool in_brackets = state_.skip("(");
    for (;;) {
      state_.count_node(state_.current().line);
      Target target;
      const Token name = state_.current();
      const std::string text = state_.expect_name();
      constexpr std::string_view kReserved[] = {"true", "false", "none", "True", "False", "None"};
      if (std::find(std::begin(kReserved), std::end(kReserved), text) != std::end(kReserved)) {
        state_.fail(name.line, "cannot assign to {}", text);
      }
      target.name = state_.assign(text);
      if (with_member && state_.skip(".")) target.member = state_.expect_name();
      parts.push_back(std::move(target));
      if (!state_.skip(",")) break;
      is_list = true;
      if (state_.current().kind != TokenKind::name || state_.current().is_name("in")) break;
    }
    if (in_brackets) state_.expect(")");
    if (!is_list) return std::move(parts[0]);
    Target all;
    all.parts = std::move(parts);
    return all;
  }

  void expect(TokenKind kind, std::string_view mark) {
    if (state_.current().kind != kind) state_.fail_here("expected '{}', got {}", mark, state_.describe());
    state_.take();
  }
  void expect_block_end() { expect(TokenKind::block_end, "%}"); }

  ParserState& state_;
  int loops_ = 0;         // around the present place, within its function
  int inside_apart_ = 0;  // macros and blocks around it
};

}  // namespace

ParserState::ParserState(std::string_view source, const std::string& where)
    : lexer_(source, where), nodes_left_(max_nodes(static_cast<int64_t>(source.size()))) {
  current_ = lexer_.next();
}

const Token& ParserState::ahead() {
  if (!ahead_) ahead_ = lexer_.next();
  return *ahead_;
}

Token ParserState::take() {
  Token token = std::move(current_);
  if (ahead_) {
    current_ = std::move(*ahead_);
    ahead_.reset();
  } else {
    current_ = lexer_.next();
  }
  return token;
}

bool ParserState::skip(std::string_view sign) {
  if (!current_.is(sign)) return false;
  take();
  return true;
}

bool ParserState::skip_name(std::string_view name) {
  if (!current_.is_name(name)) return false;
  take();
  return true;
}

void ParserState::expect(std::string_view sign) {
  if (!skip(sign)) fail_here("expected '{}', got {}", sign, describe());
}

std::string ParserState::expect_name() {
  if (current_.kind != TokenKind::name) fail_here("expected a name, got {}", describe());
  return take().text;
}

std::string ParserState::describe() const {
  switch (current_.kind) {
    case TokenKind::data:
    case TokenKind::end: return "the end of the tag";
    case TokenKind::output_begin: return "'{{'";
    case TokenKind::output_end: return "'}}'";
    case TokenKind::block_begin: return "'{%'";
    case TokenKind::block_end: return "'%}'";
    case TokenKind::text: return "a text";
    case TokenKind::integer:
    case TokenKind::real: return "a number";
    default: return fmt::format("'{}'", current_.text);
  }
}

NameId ParserState::intern(std::string_view name) {
  const auto known = ids_.find(name);
  if (known != ids_.end()) return known->second;
  program.names.emplace_back(name);
  const auto id = static_cast<NameId>(program.names.size() - 1);
  ids_.emplace(program.names.back(), id);
  return id;
}

NameId ParserState::assign(std::string_view name) {
  assigned_.insert(intern(name));
  return intern(name);
}

void ParserState::note_call(NameId name, int line) { called_.emplace(name, line); }

void ParserState::check_calls() const {
  for (const auto& [name, line] : called_) {
    const std::string& text = program.names[static_cast<size_t>(name)];
    if (find_function(text) == nullptr && !assigned_.contains(name))
      fail(line, "the function {}() is not supported", text);
  }
}

void ParserState::count_node(int line) {
  if (--nodes_left_ < 0) fail(line, "the template has more parts than its size allows; it is refused");
}

ParserState::Level::Level(ParserState& state) : state_(state) {
  if (++state_.level_ > kMaxLevel) {
    --state_.level_;
    state_.fail_here("blocks and brackets are more than {} deep", kMaxLevel);
  }
}

int64_t program_bound_bytes(int64_t source_bytes) { return max_nodes(source_bytes) * kNodeBytes + 2 * source_bytes; }

Program parse(std::string_view source, const std::string& where) {
  ParserState state(source, where);
  state.program.body = StatementParser(state).parse_body({});
  state.check_calls();
  return std::move(state.program);
}

}  // namespace headroom::jinja
