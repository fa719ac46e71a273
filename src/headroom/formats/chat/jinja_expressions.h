// The expressions of a template, as the parser makes them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "headroom/formats/chat/jinja_builtins.h"
#include "headroom/formats/chat/jinja_nodes.h"
#include "headroom/formats/chat/jinja_operators.h"

namespace headroom::jinja {

struct Constant : Expression {
  Constant(int where, Value constant) : Expression(where), value(std::move(constant)) {}
  Value evaluate(Run& run) const override;
  Value value;
};

struct Variable : Expression {
  Variable(int where, NameId id) : Expression(where), name(id) {}
  Value evaluate(Run& run) const override;
  NameId name;
};

struct ListLiteral : Expression {
  ListLiteral(int where, List::Shape kind) : Expression(where), shape(kind) {}
  Value evaluate(Run& run) const override;
  List::Shape shape;
  std::vector<ExpressionPtr> items;
};

struct DictLiteral : Expression {
  using Expression::Expression;
  Value evaluate(Run& run) const override;
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> items;
};

// `a if condition else b`; without else undefined.
struct Choice : Expression {
  using Expression::Expression;
  Value evaluate(Run& run) const override;
  ExpressionPtr condition;
  ExpressionPtr yes;
  ExpressionPtr no;  // may be null
};

// `a and b`, `a or b`: the value of the side that decides.
struct Logic : Expression {
  using Expression::Expression;
  Value evaluate(Run& run) const override;
  bool is_and = false;
  ExpressionPtr left;
  ExpressionPtr right;
};

struct Not : Expression {
  using Expression::Expression;
  Value evaluate(Run& run) const override;
  ExpressionPtr operand;
};

struct Calculation : Expression {
  using Expression::Expression;
  Value evaluate(Run& run) const override;
  Arithmetic operation = Arithmetic::add;
  ExpressionPtr left;
  ExpressionPtr right;
};

// +x and -x.
struct Signed : Expression {
  using Expression::Expression;
  Value evaluate(Run& run) const override;
  bool negative = false;
  ExpressionPtr operand;
};

// a ~ b ~ c.
struct Concatenation : Expression {
  using Expression::Expression;
  Value evaluate(Run& run) const override;
  std::vector<ExpressionPtr> parts;
};

// a < b <= c, with `in` and `not in`.
struct Comparison : Expression {
  enum class Kind : uint8_t { equal, unequal, less, at_most, more, at_least, in, not_in };
  using Expression::Expression;
  Value evaluate(Run& run) const override;
  ExpressionPtr first;
  std::vector<std::pair<Kind, ExpressionPtr>> rest;
};

struct Attribute : Expression {
  using Expression::Expression;
  Value evaluate(Run& run) const override;
  ExpressionPtr subject;
  std::string name;
};

struct Item : Expression {
  using Expression::Expression;
  Value evaluate(Run& run) const override;
  ExpressionPtr subject;
  ExpressionPtr key;
  std::string name;  // the key, if it is a text as it stands; for messages
};

struct Slice : Expression {
  using Expression::Expression;
  Value evaluate(Run& run) const override;
  ExpressionPtr subject;
  ExpressionPtr begin;  // these three may be null
  ExpressionPtr end;
  ExpressionPtr step;
};

// A macro or a function.
struct Call : Expression {
  using Expression::Expression;
  Value evaluate(Run& run) const override;
  ExpressionPtr callee;
  CallArguments arguments;
};

struct MethodCall : Expression {
  using Expression::Expression;
  Value evaluate(Run& run) const override;
  ExpressionPtr subject;
  std::string name;
  CallArguments arguments;
};

// A filter or a test.
struct Application : Expression {
  using Expression::Expression;
  Value evaluate(Run& run) const override;
  ExpressionPtr subject;
  const Function* function = nullptr;
  CallArguments arguments;
};

}  // namespace headroom::jinja
