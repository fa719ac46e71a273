// Tests: what stands behind `is`, and what select and its kin are given by name.
#include <algorithm>
#include <cmath>

#include "headroom/formats/chat/jinja_builtins.h"
#include "headroom/formats/chat/jinja_operators.h"

namespace headroom::jinja {
namespace {

// A test of the value alone, by a function of the value.
template <auto holds>
Value plain(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "the test", arguments, {});
  return Value(static_cast<bool>(holds(subject)));
}

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is_none(); }
bool is_boolean(const Value& value) { return value.is<bool>(); }
bool is_true(const Value& value) { return value.is<bool>() && value.boolean(); }
bool is_false(const Value& value) { return value.is<bool>() && !value.boolean(); }
bool is_integer(const Value& value) { return value.is<int64_t>(); }
bool is_float(const Value& value) { return value.is<double>(); }
bool is_number(const Value& value) { return value.is_number(); }
bool is_string(const Value& value) { return value.is_text(); }
bool is_mapping(const Value& value) { return value.dict() != nullptr; }
bool is_callable(const Value& value) {
  return value.macro() != nullptr || value.function() != nullptr || value.is_undefined();
}
bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_text() || value.list() != nullptr || value.dict() != nullptr ||
         value.loop() != nullptr;
}
bool is_sequence(const Value& value) {
  const bool has_places = value.list() != nullptr && value.list()->shape <= List::Shape::range;
  return value.is_undefined() || value.is_text() || has_places || value.dict() != nullptr;
}

bool has_letters(std::string_view text, char first, char last) {
  return std::any_of(text.begin(), text.end(), [&](char c) { return c >= first && c <= last; });
}

template <bool upper>
Value case_test(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, upper ? "upper" : "lower", arguments, {});
  const std::string text = to_text(run, subject);
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) >= 0x80; })) {
    run.fail("the tests upper and lower beyond ASCII are not supported");
  }
  const bool capitals = has_letters(text, 'A', 'Z');
  const bool small = has_letters(text, 'a', 'z');
  return Value(upper ? capitals && !small : small && !capitals);
}

Value remainder(Run& run, const Value& subject, const Value& divisor) {
  return calculate(run, Arithmetic::modulo, subject, divisor);
}

Value odd_test(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "odd", arguments, {});
  return Value(equal(run.meter(), remainder(run, subject, Value(int64_t{2})), Value(int64_t{1})));
}

Value even_test(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "even", arguments, {});
  return Value(equal(run.meter(), remainder(run, subject, Value(int64_t{2})), Value(int64_t{0})));
}

Value divisible_test(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "divisibleby", arguments, {"num"}, 1);
  return Value(equal(run.meter(), remainder(run, subject, given[0]), Value(int64_t{0})));
}

Value in_test(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "in", arguments, {"seq"}, 1);
  return Value(contains(run, given[0], subject));
}

template <bool wanted>
Value equal_test(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "equalto", arguments, {"other"}, 1);
  return Value(equal(run.meter(), subject, given[0]) == wanted);
}

template <bool (*holds)(int)>
Value order_test(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "the comparison", arguments, {"other"}, 1);
  return Value(holds(compare(run, subject, given[0])));
}

bool less(int order) { return order < 0; }
bool at_most(int order) { return order <= 0; }
bool more(int order) { return order > 0; }
bool at_least(int order) { return order >= 0; }

constexpr Function kTests[] = {
    {"defined", plain<is_defined>},
    {"undefined", plain<is_undefined>},
    {"none", plain<is_none>},
    {"boolean", plain<is_boolean>},
    {"true", plain<is_true>},
    {"false", plain<is_false>},
    {"integer", plain<is_integer>},
    {"float", plain<is_float>},
    {"number", plain<is_number>},
    {"string", plain<is_string>},
    {"mapping", plain<is_mapping>},
    {"callable", plain<is_callable>},
    {"iterable", plain<is_iterable>},
    {"sequence", plain<is_sequence>},
    {"upper", case_test<true>},
    {"lower", case_test<false>},
    {"odd", odd_test},
    {"even", even_test},
    {"divisibleby", divisible_test},
    {"in", in_test},
    {"==", equal_test<true>},
    {"eq", equal_test<true>},
    {"equalto", equal_test<true>},
    {"!=", equal_test<false>},
    {"ne", equal_test<false>},
    {"<", order_test<less>},
    {"lt", order_test<less>},
    {"lessthan", order_test<less>},
    {"<=", order_test<at_most>},
    {"le", order_test<at_most>},
    {">", order_test<more>},
    {"gt", order_test<more>},
    {"greaterthan", order_test<more>},
    {">=", order_test<at_least>},
    {"ge", order_test<at_least>},
};

}  // namespace

std::span<const Function> tests() { return kTests; }

}  // namespace headroom::jinja
