// Filters that give or take numbers.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>

#include "headroom/formats/chat/jinja_builtins.h"
#include "headroom/formats/chat/jinja_operators.h"
#include "headroom/formats/chat/jinja_text.h"

namespace headroom::jinja {
namespace {

constexpr int64_t kMaxPrecision = 300;

// As int(text, base) of Python reads it, without prefixes; digits may be grouped by single _.
std::optional<int64_t> parse_integer(std::string_view text, int64_t base) {
  text = strip_right(strip_left(text));
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text.back() == '_' || text.front() == '_') return std::nullopt;
  int64_t value = 0;
  bool grouped = false;
  for (const char c : text) {
    if (c == '_' && !grouped) {
      grouped = true;
      continue;
    }
    grouped = false;
    const int64_t digit = c >= '0' && c <= '9'                     ? c - '0'
                          : (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? (c | 0x20) - 'a' + 10
                                                                   : 99;
    if (digit >= base || __builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, digit, &value)) {
      return std::nullopt;
    }
  }
  return negative ? -value : value;
}

// As float(text) of Python reads it.
std::optional<double> parse_real(std::string_view text) {
  const std::string trimmed(strip_right(strip_left(text)));
  if (trimmed.empty() || trimmed.find_first_of("xXpP(") != std::string::npos) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(trimmed.c_str(), &end);
  if (end != trimmed.c_str() + trimmed.size()) return std::nullopt;
  return value;
}

std::optional<int64_t> truncated(double value) {
  if (!(std::fabs(value) < 9.2e18)) return std::nullopt;
  return static_cast<int64_t>(value);
}

Value int_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "int", arguments, {"default", "base"});
  require_defined(run, subject);
  const int64_t base = given.integer(1, 10);
  if (base < 2 || base > 36) run.fail("int: the base {} is not supported", base);
  std::optional<int64_t> value;
  if (subject.is_integral()) {
    value = subject.integer();
  } else if (subject.is_number()) {
    value = truncated(subject.real());
  } else if (subject.is_text()) {
    value = parse_integer(subject.text(), base);
    if (!value) {
      if (const std::optional<double> real = parse_real(subject.text())) value = truncated(*real);
    }
  }
  if (value) return Value(*value);
  return given.has(0) ? given[0] : Value(int64_t{0});
}

Value float_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "float", arguments, {"default"});
  require_defined(run, subject);
  std::optional<double> value;
  if (subject.is_number()) value = subject.real();
  if (subject.is_text()) value = parse_real(subject.text());
  if (value) return Value(*value);
  return given.has(0) ? given[0] : Value(0.0);
}

double number(Run& run, std::string_view callee, const Value& value) {
  require_defined(run, value);
  if (!value.is_number()) run.fail("{}: expected a number, got {}", callee, value.kind());
  return value.real();
}

Value abs_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "abs", arguments, {});
  const double real = number(run, "abs", subject);
  if (!subject.is_integral()) return Value(std::fabs(real));
  return subject.integer() < 0 ? calculate(run, Arithmetic::subtract, Value(int64_t{0}), subject)
                               : Value(subject.integer());
}

Value round_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "round", arguments, {"precision", "method"});
  const double real = number(run, "round", subject);
  const int64_t precision = given.integer(0, 0);
  const std::string_view method = given.text(1, "common");
  if (precision < 0 || precision > kMaxPrecision) run.fail("round: a precision of {} is not supported", precision);
  if (method == "common") {
    if (subject.is_integral()) return Value(subject.integer());
    return Value(std::strtod(fmt::format("{:.{}f}", real, precision).c_str(), nullptr));
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  if (method == "ceil") return Value(std::ceil(real * scale) / scale);
  if (method == "floor") return Value(std::floor(real * scale) / scale);
  run.fail("round: method: expected common, ceil or floor, got {}", method);
}

Value sum_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "sum", arguments, {"attribute", "start"});
  Value sum = given.has(1) ? given[1] : Value(int64_t{0});
  for (const Value& each : iterate(run, subject)) {
    const bool by_attribute = given.has(0) && !given[0].is_none();
    sum = calculate(run, Arithmetic::add, sum, by_attribute ? item(run, each, given[0]) : each);
  }
  return sum;
}

template <int sign>
Value extreme_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, sign < 0 ? "min" : "max", arguments, {});
  Value extreme;
  bool first = true;
  for (const Value& each : iterate(run, subject)) {
    if (each.is_text() && (!to_lower(each.text()) || *to_lower(each.text()) != each.text())) {
      run.fail("min, max: texts with capital letters are not supported");
    }
    if (first || compare(run, each, extreme) * sign > 0) extreme = each;
    first = false;
  }
  return extreme;
}

constexpr Function kNumberFilters[] = {
    {"int", int_filter}, {"float", float_filter},     {"abs", abs_filter},        {"round", round_filter},
    {"sum", sum_filter}, {"min", extreme_filter<-1>}, {"max", extreme_filter<1>},
};

}  // namespace

std::span<const Function> number_filters() { return kNumberFilters; }

}  // namespace headroom::jinja
