#include "headroom/formats/chat/jinja_expressions.h"

namespace headroom::jinja {
namespace {

Value evaluate_or_none(Run& run, const ExpressionPtr& expression) {
  return expression ? run.evaluate(*expression) : Value(None{});
}

bool holds(Run& run, Comparison::Kind kind, const Value& a, const Value& b) {
  switch (kind) {
    case Comparison::Kind::equal: return equal(run.meter(), a, b);
    case Comparison::Kind::unequal: return !equal(run.meter(), a, b);
    case Comparison::Kind::in: return contains(run, b, a);
    case Comparison::Kind::not_in: return !contains(run, b, a);
    default: break;
  }
  const bool is_nan = a.is_number() && b.is_number() && (a.real() != a.real() || b.real() != b.real());
  const int order = compare(run, a, b);
  if (is_nan) return false;
  switch (kind) {
    case Comparison::Kind::less: return order < 0;
    case Comparison::Kind::at_most: return order <= 0;
    case Comparison::Kind::more: return order > 0;
    default: return order >= 0;
  }
}

}  // namespace

Value Constant::evaluate(Run& /*run*/) const { return value; }
Value Variable::evaluate(Run& run) const { return run.get(name); }

Value ListLiteral::evaluate(Run& run) const {
  std::vector<Value> values;
  for (const ExpressionPtr& each : items) values.push_back(run.evaluate(*each));
  return run.list(std::move(values), shape);
}

Value DictLiteral::evaluate(Run& run) const {
  std::vector<std::pair<Value, Value>> values;
  for (const auto& [key, value] : items) {
    Value name = run.evaluate(*key);
    values.emplace_back(std::move(name), run.evaluate(*value));
  }
  return run.dict(std::move(values));
}

Value Choice::evaluate(Run& run) const {
  if (run.evaluate(*condition).truth()) return run.evaluate(*yes);
  return no ? run.evaluate(*no) : Value();
}

Value Logic::evaluate(Run& run) const {
  Value value = run.evaluate(*left);
  return value.truth() == is_and ? run.evaluate(*right) : value;
}

Value Not::evaluate(Run& run) const { return Value(!run.evaluate(*operand).truth()); }

Value Calculation::evaluate(Run& run) const {
  const Value a = run.evaluate(*left);
  return calculate(run, operation, a, run.evaluate(*right));
}

Value Signed::evaluate(Run& run) const {
  const Value value = run.evaluate(*operand);
  if (value.is_integral())
    return calculate(run, negative ? Arithmetic::subtract : Arithmetic::add, Value(int64_t{0}), value);
  require_defined(run, value);
  if (!value.is_number()) run.fail("{}{} is not defined", negative ? "-" : "+", value.kind());
  return Value(negative ? -value.real() : value.real());
}

Value Concatenation::evaluate(Run& run) const {
  Run::Capture text(run);
  for (const ExpressionPtr& part : parts) run.write(run.evaluate(*part));
  return text.take();
}

Value Comparison::evaluate(Run& run) const {
  Value left = run.evaluate(*first);
  for (const auto& [kind, expression] : rest) {
    Value right = run.evaluate(*expression);
    if (!holds(run, kind, left, right)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Attribute::evaluate(Run& run) const { return attribute(run, run.evaluate(*subject), name); }

Value Item::evaluate(Run& run) const {
  const Value value = run.evaluate(*subject);
  Value found = item(run, value, run.evaluate(*key));
  return found.is_undefined() && !name.empty() ? Value(&name) : found;
}

Value Slice::evaluate(Run& run) const {
  const Value value = run.evaluate(*subject);
  const Value from = evaluate_or_none(run, begin);
  const Value to = evaluate_or_none(run, end);
  return slice(run, value, from, to, evaluate_or_none(run, step));
}

Value Call::evaluate(Run& run) const {
  const Value function = run.evaluate(*callee);
  return call(run, function, run.evaluate(arguments));
}

Value MethodCall::evaluate(Run& run) const {
  const Value value = run.evaluate(*subject);
  require_defined(run, value);
  if (const Function* method = find_method(value, name)) return method->call(run, value, run.evaluate(arguments));
  const Value member = attribute(run, value, name);
  if (member.is_undefined()) run.fail("{} has no method {}", value.kind(), name);
  return call(run, member, run.evaluate(arguments));
}

Value Application::evaluate(Run& run) const {
  const Value value = run.evaluate(*subject);
  return function->call(run, value, run.evaluate(arguments));
}

}  // namespace headroom::jinja
