// What a template is made of once it is read: expressions that give values and statements that write text. The parser
// makes them, a Run walks them.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "headroom/formats/chat/jinja_value.h"

namespace headroom::jinja {

class Run;

struct Expression {
  explicit Expression(int where) : line(where) {}
  virtual ~Expression() = default;
  virtual Value evaluate(Run& run) const = 0;

  int line;
};
using ExpressionPtr = std::unique_ptr<const Expression>;

// What a statement asks the loop around it to do.
enum class Flow : uint8_t { go_on, end_pass, end_loop };

struct Statement {
  explicit Statement(int where) : line(where) {}
  virtual ~Statement() = default;
  virtual Flow execute(Run& run) const = 0;

  int line;
};
using Body = std::vector<std::unique_ptr<const Statement>>;

// Variables are numbered; Program::names has their names.
using NameId = int;

struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
};

// Where a set or for statement puts a value: a variable, a member of a namespace, or several of them for the items of a
// list.
struct Target {
  NameId name = -1;
  std::string member;  // of the namespace `name`; empty: the variable itself
  std::vector<Target> parts;
};

struct Macro {
  std::string name;
  std::vector<NameId> parameters;
  std::vector<ExpressionPtr> defaults;  // of the last parameters
  Body body;
};

// A template, read.
struct Program {
  Body body;
  std::deque<std::string> names;
  bool marks_generation = false;
};

}  // namespace headroom::jinja
