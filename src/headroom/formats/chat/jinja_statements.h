// The statements of a template, as the parser makes them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "headroom/formats/chat/jinja_nodes.h"

namespace headroom::jinja {

struct Data : Statement {
  Data(int where, std::string bytes) : Statement(where), text(std::move(bytes)) {}
  Flow execute(Run& run) const override;
  std::string text;
};

struct Output : Statement {
  Output(int where, ExpressionPtr written) : Statement(where), value(std::move(written)) {}
  Flow execute(Run& run) const override;
  ExpressionPtr value;
};

struct If : Statement {
  using Statement::Statement;
  Flow execute(Run& run) const override;
  std::vector<std::pair<ExpressionPtr, Body>> branches;  // if, elif ...
  Body otherwise;
};

struct For : Statement {
  using Statement::Statement;
  Flow execute(Run& run) const override;
  Target target;
  ExpressionPtr items;
  ExpressionPtr condition;  // may be null
  NameId loop = -1;         // the variable `loop`
  Body body;
  Body otherwise;
};

struct LoopControl : Statement {
  LoopControl(int where, Flow what) : Statement(where), flow(what) {}
  Flow execute(Run& run) const override;
  Flow flow;
};

struct Set : Statement {
  using Statement::Statement;
  Flow execute(Run& run) const override;
  Target target;
  ExpressionPtr value;
};

// {% set x %}...{% endset %}
struct SetBlock : Statement {
  using Statement::Statement;
  Flow execute(Run& run) const override;
  Target target;
  Body body;
};

struct MacroDefinition : Statement {
  using Statement::Statement;
  Flow execute(Run& run) const override;
  NameId name = -1;
  Macro macro;
};

// {% generation %}...{% endgeneration %}
struct Generation : Statement {
  using Statement::Statement;
  Flow execute(Run& run) const override;
  Body body;
};

}  // namespace headroom::jinja
