// The expressions of a template, by precedence: the order and the quirks of jinja2's parser.
#include <algorithm>

#include "headroom/formats/chat/jinja_expressions.h"
#include "headroom/formats/chat/jinja_parser_state.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom::jinja {
namespace {

constexpr int kMaxChain = 100;  // operators, filters and members one behind the other: they nest when they run

class ExpressionParser {
 public:
  explicit ExpressionParser(ParserState& state) : state_(state) {}

  ExpressionPtr parse(bool with_choice) { return with_choice ? parse_choice() : parse_or(); }

  // Several with commas are a tuple, with or without brackets; `empty_allowed` inside of brackets.
  ExpressionPtr parse_tuple(bool with_choice, bool empty_allowed) {
    const int line = state_.current().line;
    std::vector<ExpressionPtr> items;
    bool is_tuple = false;
    while (!at_tuple_end()) {
      items.push_back(parse(with_choice));
      if (!state_.skip(",")) break;
      is_tuple = true;
    }
    if (!is_tuple && items.size() == 1) return std::move(items[0]);
    if (items.empty() && !empty_allowed) state_.fail_here("expected an expression, got {}", state_.describe());
    auto tuple = state_.make<ListLiteral>(line, List::Shape::tuple);
    tuple->items = std::move(items);
    return tuple;
  }

 private:
  // Counts the links of one chain.
  class Chain {
   public:
    explicit Chain(ParserState& state) : state_(state) {}
    void link() {
      if (++links_ > kMaxChain) state_.fail_here("an expression has more than {} operators in a row", kMaxChain);
    }

   private:
    ParserState& state_;
    int links_ = 0;
  };

  int line() const { return state_.current().line; }

  bool at_tuple_end() const {
    const Token& token = state_.current();
    return token.kind == TokenKind::output_end || token.kind == TokenKind::block_end || token.is(")") ||
           token.is_name("recursive");
  }

  ExpressionPtr parse_choice() {
    const ParserState::Level level(state_);
    ExpressionPtr value = parse_or();
    Chain chain(state_);
    while (state_.skip_name("if")) {
      chain.link();
      auto choice = state_.make<Choice>(line());
      choice->yes = std::move(value);
      choice->condition = parse_or();
      if (state_.skip_name("else")) choice->no = parse_choice();
      value = std::move(choice);
    }
    return value;
  }

  ExpressionPtr parse_or() { return parse_logic("or", &ExpressionParser::parse_and); }
  ExpressionPtr parse_and() { return parse_logic("and", &ExpressionParser::parse_not); }

  ExpressionPtr parse_logic(std::string_view name, ExpressionPtr (ExpressionParser::*next)()) {
    ExpressionPtr left = (this->*next)();
    Chain chain(state_);
    while (state_.current().is_name(name)) {
      chain.link();
      auto logic = state_.make<Logic>(state_.take().line);
      logic->is_and = name == "and";
      logic->left = std::move(left);
      logic->right = (this->*next)();
      left = std::move(logic);
    }
    return left;
  }

  ExpressionPtr parse_not() {
    if (!state_.current().is_name("not")) return parse_comparison();
    const ParserState::Level level(state_);
    auto node = state_.make<Not>(state_.take().line);
    node->operand = parse_not();
    return node;
  }

  ExpressionPtr parse_comparison() {
    using Kind = Comparison::Kind;
    constexpr std::pair<std::string_view, Kind> kSigns[] = {{"==", Kind::equal}, {"!=", Kind::unequal},
                                                            {"<", Kind::less},   {"<=", Kind::at_most},
                                                            {">", Kind::more},   {">=", Kind::at_least}};
    const int begin = line();
    ExpressionPtr first = parse_sum();
    std::vector<std::pair<Kind, ExpressionPtr>> rest;
    for (;;) {
      const auto* sign = std::find_if(std::begin(kSigns), std::end(kSigns),
                                      [&](const auto& entry) { return state_.current().is(entry.first); });
      Kind kind = Kind::in;
      if (sign != std::end(kSigns)) {
        kind = sign->second;
      } else if (state_.current().is_name("not") && state_.ahead().is_name("in")) {
        kind = Kind::not_in;
        state_.take();
      } else if (!state_.current().is_name("in")) {
        break;
      }
      state_.count_node(state_.take().line);
      rest.emplace_back(kind, parse_sum());
    }
    if (rest.empty()) return first;
    auto node = state_.make<Comparison>(begin);
    node->first = std::move(first);
    node->rest = std::move(rest);
    return node;
  }

  ExpressionPtr parse_sum() {
    return parse_calculation({{"+", Arithmetic::add}, {"-", Arithmetic::subtract}},
                             &ExpressionParser::parse_concatenation);
  }

  ExpressionPtr parse_concatenation() {
    ExpressionPtr first = parse_product();
    if (!state_.current().is("~")) return first;
    auto node = state_.make<Concatenation>(line());
    node->parts.push_back(std::move(first));
    while (state_.skip("~")) node->parts.push_back(parse_product());
    return node;
  }

  ExpressionPtr parse_product() {
    return parse_calculation({{"*", Arithmetic::multiply},
                              {"/", Arithmetic::divide},
                              {"//", Arithmetic::divide_floor},
                              {"%", Arithmetic::modulo}},
                             &ExpressionParser::parse_power);
  }

  ExpressionPtr parse_power() { return parse_calculation({{"**", Arithmetic::power}}, &ExpressionParser::parse_unary); }

  ExpressionPtr parse_calculation(std::initializer_list<std::pair<std::string_view, Arithmetic>> signs,
                                  ExpressionPtr (ExpressionParser::*next)()) {
    ExpressionPtr left = (this->*next)();
    Chain chain(state_);
    for (;;) {
      const auto* sign =
          std::find_if(signs.begin(), signs.end(), [&](const auto& entry) { return state_.current().is(entry.first); });
      if (sign == signs.end()) return left;
      chain.link();
      auto node = state_.make<Calculation>(state_.take().line);
      node->operation = sign->second;
      node->left = std::move(left);
      node->right = (this->*next)();
      left = std::move(node);
    }
  }

  ExpressionPtr parse_unary() { return parse_filters(parse_signed()); }

  ExpressionPtr parse_signed() {
    const ParserState::Level level(state_);
    if (!state_.current().is("-") && !state_.current().is("+")) return parse_members(parse_primary());
    auto node = state_.make<Signed>(line());
    node->negative = state_.take().text == "-";
    node->operand = parse_signed();
    return parse_members(std::move(node));
  }

  ExpressionPtr parse_primary() {
    const ParserState::Level level(state_);
    Token token = state_.current();
    const auto constant = [&](Value value) { return state_.make<Constant>(token.line, std::move(value)); };
    switch (token.kind) {
      case TokenKind::name:
        state_.take();
        if (token.text == "true" || token.text == "True") return constant(Value(true));
        if (token.text == "false" || token.text == "False") return constant(Value(false));
        if (token.text == "none" || token.text == "None") return constant(Value(None{}));
        refuse_name(token);
        return state_.make<Variable>(token.line, state_.intern(token.text));
      case TokenKind::text: {
        std::string text;
        while (state_.current().kind == TokenKind::text) text += state_.take().text;
        return constant(Value(std::make_shared<const Text>(Text{std::move(text), Charge()})));
      }
      case TokenKind::integer: return constant(Value(state_.take().integer));
      case TokenKind::real: return constant(Value(state_.take().real));
      default: break;
    }
    if (token.is("(")) {
      state_.take();
      ExpressionPtr inner = parse_tuple(true, true);
      state_.expect(")");
      return inner;
    }
    if (token.is("[")) return parse_list();
    if (token.is("{")) return parse_dict();
    state_.fail_here("unexpected {}", state_.describe());
  }

  // Names that Jinja gives a meaning of its own.
  void refuse_name(const Token& token) {
    constexpr std::string_view kUnsupported[] = {"self",   "super",  "varargs", "kwargs",
                                                 "caller", "cycler", "joiner",  "lipsum"};
    if (std::find(std::begin(kUnsupported), std::end(kUnsupported), token.text) != std::end(kUnsupported)) {
      state_.fail(token.line, "{} is not supported", token.text);
    }
  }

  ExpressionPtr parse_list() {
    auto list = state_.make<ListLiteral>(state_.take().line, List::Shape::list);
    while (!state_.current().is("]")) {
      if (!list->items.empty()) state_.expect(",");
      if (state_.current().is("]")) break;
      list->items.push_back(parse_choice());
    }
    state_.expect("]");
    return list;
  }

  ExpressionPtr parse_dict() {
    auto dict = state_.make<DictLiteral>(state_.take().line);
    while (!state_.current().is("}")) {
      if (!dict->items.empty()) state_.expect(",");
      if (state_.current().is("}")) break;
      ExpressionPtr key = parse_choice();
      state_.expect(":");
      dict->items.emplace_back(std::move(key), parse_choice());
    }
    state_.expect("}");
    return dict;
  }

  // .name, [key], [a:b] and calls.
  ExpressionPtr parse_members(ExpressionPtr subject) {
    Chain chain(state_);
    for (;; chain.link()) {
      if (state_.current().is("(")) {
        subject = parse_call(std::move(subject));
      } else if (state_.current().is("[")) {
        subject = parse_item(std::move(subject));
      } else if (state_.current().is(".")) {
        subject = parse_attribute(std::move(subject));
      } else {
        return subject;
      }
    }
  }

  ExpressionPtr parse_call(ExpressionPtr callee) {
    auto node = state_.make<Call>(line());
    if (const auto* name = dynamic_cast<const Variable*>(callee.get())) state_.note_call(name->name, name->line);
    node->callee = std::move(callee);
    node->arguments = parse_arguments();
    return node;
  }

  ExpressionPtr parse_attribute(ExpressionPtr subject) {
    const int begin = state_.take().line;
    if (state_.current().kind == TokenKind::integer) {
      auto node = state_.make<Item>(begin);
      node->subject = std::move(subject);
      node->key = state_.make<Constant>(begin, Value(state_.take().integer));
      return node;
    }
    std::string name = state_.expect_name();
    if (!state_.current().is("(")) {
      auto node = state_.make<Attribute>(begin);
      node->subject = std::move(subject);
      node->name = std::move(name);
      return node;
    }
    if (!is_method(name)) state_.fail(begin, "the method {}() is not supported", name);
    auto node = state_.make<MethodCall>(begin);
    node->subject = std::move(subject);
    node->name = std::move(name);
    node->arguments = parse_arguments();
    return node;
  }

  ExpressionPtr parse_item(ExpressionPtr subject) {
    const int begin = state_.take().line;
    ExpressionPtr bounds[3];
    int colons = 0;
    for (int i = 0; i < 3; ++i) {
      if (!state_.current().is(":") && !state_.current().is("]")) bounds[i] = parse_choice();
      if (i == 2 || !state_.skip(":")) break;
      ++colons;
    }
    if (state_.current().is(",")) state_.fail_here("several keys in [ ] are not supported");
    state_.expect("]");
    if (colons == 0) {
      if (!bounds[0]) state_.fail(begin, "expected a key between [ and ]");
      auto node = state_.make<Item>(begin);
      node->subject = std::move(subject);
      if (const auto* constant = dynamic_cast<const Constant*>(bounds[0].get())) {
        if (constant->value.is_text()) node->name = constant->value.text();
      }
      node->key = std::move(bounds[0]);
      return node;
    }
    auto node = state_.make<Slice>(begin);
    node->subject = std::move(subject);
    node->begin = std::move(bounds[0]);
    node->end = std::move(bounds[1]);
    node->step = std::move(bounds[2]);
    return node;
  }

  CallArguments parse_arguments() {
    const ParserState::Level level(state_);
    CallArguments arguments;
    state_.expect("(");
    for (bool first = true; !state_.current().is(")"); first = false) {
      if (!first) state_.expect(",");
      if (state_.current().is(")")) break;
      if (state_.current().is("*") || state_.current().is("**")) {
        state_.fail_here("{} before an argument is not supported", state_.current().text);
      }
      if (state_.current().kind == TokenKind::name && state_.ahead().is("=")) {
        std::string name = state_.take().text;
        state_.take();
        arguments.named.emplace_back(std::move(name), parse_choice());
      } else if (arguments.named.empty()) {
        arguments.positional.push_back(parse_choice());
      } else {
        state_.fail_here("an argument without a name follows one with a name");
      }
    }
    state_.expect(")");
    return arguments;
  }

  // | filter, is test.
  ExpressionPtr parse_filters(ExpressionPtr subject) {
    Chain chain(state_);
    for (;; chain.link()) {
      if (state_.current().is("|")) {
        subject = parse_filter(std::move(subject));
      } else if (state_.current().is_name("is")) {
        subject = parse_test(std::move(subject));
      } else if (state_.current().is("(")) {
        subject = parse_call(std::move(subject));
      } else {
        return subject;
      }
    }
  }

  std::string parse_dotted_name() {
    std::string name = state_.expect_name();
    while (state_.skip(".")) name += "." + state_.expect_name();
    return name;
  }

  ExpressionPtr parse_filter(ExpressionPtr subject) {
    auto node = state_.make<Application>(state_.take().line);
    const std::string name = parse_dotted_name();
    node->function = find_filter(name);
    if (node->function == nullptr) state_.fail(node->line, "the filter {} is not supported", name);
    node->subject = std::move(subject);
    if (state_.current().is("(")) node->arguments = parse_arguments();
    return node;
  }

  ExpressionPtr parse_test(ExpressionPtr subject) {
    auto node = state_.make<Application>(state_.take().line);
    const bool negated = state_.skip_name("not");
    const std::string name = parse_dotted_name();
    node->function = find_test(name);
    if (node->function == nullptr) state_.fail(node->line, "the test {} is not supported", name);
    node->subject = std::move(subject);
    const Token& token = state_.current();
    const bool is_literal = token.kind == TokenKind::text || token.kind == TokenKind::integer ||
                            token.kind == TokenKind::real || token.is("[") || token.is("{");
    const bool is_operator = token.is_name("else") || token.is_name("or") || token.is_name("and");
    if (token.is("(")) {
      node->arguments = parse_arguments();
    } else if (is_literal || (token.kind == TokenKind::name && !is_operator)) {
      if (token.is_name("is")) state_.fail_here("tests cannot be chained with is");
      node->arguments.positional.push_back(parse_members(parse_primary()));
    }
    if (!negated) return node;
    auto opposite = state_.make<Not>(node->line);
    opposite->operand = std::move(node);
    return opposite;
  }

  ParserState& state_;
};

}  // namespace

ExpressionPtr parse_expressions(ParserState& state, bool with_choice) {
  return ExpressionParser(state).parse_tuple(with_choice, false);
}

ExpressionPtr parse_expression(ParserState& state) { return ExpressionParser(state).parse(true); }

}  // namespace headroom::jinja
