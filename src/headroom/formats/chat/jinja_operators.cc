#include "headroom/formats/chat/jinja_operators.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "headroom/formats/chat/jinja_builtins.h"
#include "headroom/formats/chat/jinja_text.h"

namespace headroom::jinja {
namespace {

constexpr int64_t kMaxRepeated = int64_t{1} << 24;  // bytes or items; the meter stops most of it before

std::string_view sign_of(Arithmetic operation) {
  constexpr std::string_view kSigns[] = {"+", "-", "*", "/", "//", "%", "**"};
  return kSigns[static_cast<size_t>(operation)];
}

[[noreturn]] void refuse(Run& run, std::string_view sign, const Value& a, const Value& b) {
  require_defined(run, a);
  require_defined(run, b);
  run.fail("{} {} {} is not defined", a.kind(), sign, b.kind());
}

int64_t floor_divide(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return quotient - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

double floor_modulo(double a, double b) {
  const double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

std::optional<int64_t> integer_power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) return std::nullopt;
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return std::nullopt;
  }
  return result;
}

Value of_integers(Run& run, Arithmetic operation, int64_t a, int64_t b) {
  const bool divides =
      operation == Arithmetic::divide || operation == Arithmetic::divide_floor || operation == Arithmetic::modulo;
  if (divides && b == 0) run.fail("division by zero");
  int64_t result = 0;
  bool too_large = false;
  switch (operation) {
    case Arithmetic::add: too_large = __builtin_add_overflow(a, b, &result); break;
    case Arithmetic::subtract: too_large = __builtin_sub_overflow(a, b, &result); break;
    case Arithmetic::multiply: too_large = __builtin_mul_overflow(a, b, &result); break;
    case Arithmetic::divide: return Value(static_cast<double>(a) / static_cast<double>(b));
    case Arithmetic::divide_floor:
      too_large = a == std::numeric_limits<int64_t>::min() && b == -1;
      if (!too_large) result = floor_divide(a, b);
      break;
    case Arithmetic::modulo: result = b == -1 ? 0 : a - floor_divide(a, b) * b; break;
    case Arithmetic::power: {
      if (b < 0 && a == 0) run.fail("division by zero");
      if (b < 0) return Value(std::pow(static_cast<double>(a), static_cast<double>(b)));
      const std::optional<int64_t> power = integer_power(a, b);
      too_large = !power;
      result = power.value_or(0);
      break;
    }
  }
  if (too_large) run.fail("{} {} {} is too large; integers have 64 bits", a, sign_of(operation), b);
  return Value(result);
}

Value of_reals(Run& run, Arithmetic operation, double a, double b) {
  if (operation > Arithmetic::multiply && operation < Arithmetic::power && b == 0) run.fail("division by zero");
  switch (operation) {
    case Arithmetic::add: return Value(a + b);
    case Arithmetic::subtract: return Value(a - b);
    case Arithmetic::multiply: return Value(a * b);
    case Arithmetic::divide: return Value(a / b);
    case Arithmetic::divide_floor: return Value(std::floor((a - floor_modulo(a, b)) / b + 0.5));
    case Arithmetic::modulo: return Value(floor_modulo(a, b));
    case Arithmetic::power: break;
  }
  const double power = std::pow(a, b);
  if (!std::isfinite(power) && std::isfinite(a) && std::isfinite(b)) run.fail("{} ** {} is no number", a, b);
  return Value(power);
}

bool is_ordinary(const Value& value) { return value.list() != nullptr && value.list()->shape <= List::Shape::tuple; }

Value repeat(Run& run, const Value& subject, int64_t times) {
  times = std::max<int64_t>(times, 0);
  const auto size = static_cast<int64_t>(subject.is_text() ? subject.text().size() : subject.list()->items.size());
  if (size > 0 && times > kMaxRepeated / size) run.fail("{} * {} is too large", subject.kind(), times);
  run.meter().step(size * times);
  if (subject.is_text()) {
    std::string result;
    for (int64_t i = 0; i < times; ++i) result += subject.text();
    return run.text_of(subject, std::move(result));
  }
  const Charge room(run.meter(), size * times * static_cast<int64_t>(sizeof(Value)));
  std::vector<Value> items;
  for (int64_t i = 0; i < times; ++i) {
    items.insert(items.end(), subject.list()->items.begin(), subject.list()->items.end());
  }
  return run.list(std::move(items), subject.list()->shape);
}

bool can_repeat(const Value& value) { return value.is_text() || is_ordinary(value); }

}  // namespace

void require_defined(Run& run, const Value& value) {
  if (!value.is_undefined()) return;
  if (value.undefined_name() == nullptr) run.fail("something undefined is used");
  run.fail("{} is undefined", *value.undefined_name());
}

Value calculate(Run& run, Arithmetic operation, const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return of_integers(run, operation, a.integer(), b.integer());
  if (a.is_number() && b.is_number()) return of_reals(run, operation, a.real(), b.real());
  if (operation == Arithmetic::add && a.is_text() && b.is_text()) {
    if (a.is_safe_text() || b.is_safe_text()) return run.safe_text(to_safe_text(run, a) + to_safe_text(run, b));
    std::string result;
    result.reserve(a.text().size() + b.text().size());
    result.append(a.text()).append(b.text());
    return run.text(std::move(result));
  }
  if (operation == Arithmetic::add && is_ordinary(a) && is_ordinary(b) && a.list()->shape == b.list()->shape) {
    std::vector<Value> items = a.list()->items;
    items.insert(items.end(), b.list()->items.begin(), b.list()->items.end());
    return run.list(std::move(items), a.list()->shape);
  }
  if (operation == Arithmetic::multiply && can_repeat(a) && b.is_integral()) return repeat(run, a, b.integer());
  if (operation == Arithmetic::multiply && a.is_integral() && can_repeat(b)) return repeat(run, b, a.integer());
  if (operation == Arithmetic::modulo && a.is_text()) run.fail("formatting a text with % is not supported; try ~");
  refuse(run, sign_of(operation), a, b);
}

int compare(Run& run, const Value& a, const Value& b) {
  run.meter().step();
  const auto order = [](const auto& x, const auto& y) { return x < y ? -1 : y < x ? 1 : 0; };
  if (a.is_integral() && b.is_integral()) return order(a.integer(), b.integer());
  if (a.is_number() && b.is_number()) return order(a.real(), b.real());
  if (a.is_text() && b.is_text()) {  // UTF-8 sorts as its code points do
    run.meter().step(static_cast<int64_t>(std::min(a.text().size(), b.text().size())));
    return order(a.text(), b.text());
  }
  if (!is_ordinary(a) || !is_ordinary(b) || a.list()->shape != b.list()->shape) refuse(run, "<", a, b);
  const std::vector<Value>& x = a.list()->items;
  const std::vector<Value>& y = b.list()->items;
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    if (!equal(run.meter(), x[i], y[i])) return compare(run, x[i], y[i]);
  }
  return order(x.size(), y.size());
}

bool contains(Run& run, const Value& container, const Value& item) {
  if (container.is_text()) {
    if (!item.is_text()) refuse(run, "in", item, container);
    run.meter().step(static_cast<int64_t>(container.text().size()));
    return container.text().find(item.text()) != std::string_view::npos;
  }
  if (const Dict* dict = container.dict()) return find(run.meter(), *dict, item) != nullptr;
  if (container.is_undefined()) return false;
  const List* list = container.list();
  if (list == nullptr) refuse(run, "in", item, container);
  for (size_t i = list->taken; i < list->items.size(); ++i) {
    if (list->shape == List::Shape::iterator) list->taken = i + 1;  // what was looked at is gone
    if (equal(run.meter(), list->items[i], item)) return true;
  }
  return false;
}

std::vector<Value> iterate(Run& run, const Value& value) {
  std::vector<Value> items;
  if (value.is_undefined()) return items;
  if (value.is_text()) {
    for (std::string_view text = value.text(); !text.empty();) {
      const size_t size = bytes_of_characters(text, 1);
      items.push_back(run.text(text.substr(0, size)));
      text.remove_prefix(size);
    }
  } else if (const Dict* dict = value.dict()) {
    for (const auto& [key, member] : dict->items) items.push_back(key);
  } else if (const List* list = value.list()) {
    items.assign(list->items.begin() + static_cast<int64_t>(list->taken), list->items.end());
    if (list->shape == List::Shape::iterator) list->taken = list->items.size();
  } else {
    run.fail("{} has no items", value.kind());
  }
  run.meter().step(static_cast<int64_t>(items.size() * sizeof(Value)));
  return items;
}

int64_t length(Run& run, const Value& value) {
  if (value.is_undefined()) return 0;
  if (value.is_text()) return count_characters(value.text());
  if (const Dict* dict = value.dict()) return static_cast<int64_t>(dict->items.size());
  if (value.list() == nullptr || value.list()->shape == List::Shape::iterator)
    run.fail("{} has no length", value.kind());
  return static_cast<int64_t>(value.list()->items.size());
}

namespace {

Value loop_member(Run& run, const Loop& loop, const std::string& name) {
  const auto count = static_cast<int64_t>(loop.items.size());
  const auto neighbour = [&](int64_t at) {
    return at >= 0 && at < count ? loop.items[static_cast<size_t>(at)] : Value(&name);
  };
  if (name == "index") return Value(loop.index + 1);
  if (name == "index0") return Value(loop.index);
  if (name == "revindex") return Value(count - loop.index);
  if (name == "revindex0") return Value(count - loop.index - 1);
  if (name == "first") return Value(loop.index == 0);
  if (name == "last") return Value(loop.index == count - 1);
  if (name == "length") return Value(count);
  if (name == "depth") return Value(int64_t{1});  // of loops that call themselves, which there are none
  if (name == "depth0") return Value(int64_t{0});
  if (name == "previtem") return neighbour(loop.index - 1);
  if (name == "nextitem") return neighbour(loop.index + 1);
  if (name == "changed") run.fail("loop.changed is not supported");
  return Value(&name);
}

Value namespace_member(const Namespace& space, std::string_view name) {
  const auto member =
      std::find_if(space.members.begin(), space.members.end(), [&](const auto& entry) { return entry.first == name; });
  return member == space.members.end() ? Value() : member->second;
}

}  // namespace

Value attribute(Run& run, const Value& subject, const std::string& name) {
  require_defined(run, subject);
  if (find_method(subject, name) != nullptr) run.fail("the method {} is not called; expected .{}()", name, name);
  if (const Loop* loop = subject.loop()) return loop_member(run, *loop, name);
  if (const Namespace* space = subject.name_space()) {
    const Value member = namespace_member(*space, name);
    return member.is_undefined() ? Value(&name) : member;
  }
  if (const Dict* dict = subject.dict()) {
    const Value* member = find(run.meter(), *dict, name);
    return member != nullptr ? *member : Value(&name);
  }
  return Value(&name);
}

Value item(Run& run, const Value& subject, const Value& key) {
  require_defined(run, subject);
  if (const Dict* dict = subject.dict()) {
    const Value* member = find(run.meter(), *dict, key);
    if (member == nullptr && key.is_text() && find_method(subject, key.text()) != nullptr) {
      run.fail("the method {} of a dict is not called", key.text());
    }
    return member != nullptr ? *member : Value();
  }
  if (const Namespace* space = subject.name_space()) {
    return key.is_text() ? namespace_member(*space, key.text()) : Value();
  }
  const bool has_places =
      subject.is_text() || (subject.list() != nullptr && subject.list()->shape <= List::Shape::range);
  if (!has_places || !key.is_integral()) return Value();
  const int64_t count = length(run, subject);
  const int64_t place = key.integer() < 0 ? key.integer() + count : key.integer();
  if (place < 0 || place >= count) return Value();
  if (!subject.is_text()) return subject.list()->items[static_cast<size_t>(place)];
  run.meter().step(static_cast<int64_t>(subject.text().size()));
  const std::string_view rest = subject.text().substr(bytes_of_characters(subject.text(), place));
  return run.text_of(subject, rest.substr(0, bytes_of_characters(rest, 1)));
}

Value slice(Run& run, const Value& subject, const Value& begin, const Value& end, const Value& step) {
  require_defined(run, subject);
  const bool has_places =
      subject.is_text() || (subject.list() != nullptr && subject.list()->shape <= List::Shape::range);
  if (!has_places) return Value();
  const auto bound = [&](const Value& value) -> std::optional<int64_t> {
    if (value.is_none()) return std::nullopt;
    if (!value.is_integral()) run.fail("a slice has the bound {}; expected an integer", value.kind());
    return value.integer();
  };
  const std::optional<int64_t> stride = bound(step);
  const int64_t by = stride.value_or(1);
  if (by == 0) run.fail("a slice has the step 0");
  const int64_t count = length(run, subject);
  const int64_t lowest = by > 0 ? 0 : -1;
  const int64_t highest = by > 0 ? count : count - 1;
  const auto place = [&](const std::optional<int64_t>& at, int64_t fallback) {
    if (!at) return fallback;
    return *at < 0 ? std::max(*at < -count ? lowest : *at + count, lowest) : std::min(*at, highest);
  };
  const int64_t from = place(bound(begin), by > 0 ? lowest : highest);
  const int64_t to = place(bound(end), by > 0 ? highest : lowest);
  if (subject.is_text() && by == 1) {
    const std::string_view text = subject.text();
    if (to <= from) return run.text_of(subject, std::string());
    const size_t first = bytes_of_characters(text, from);
    return run.text_of(subject, text.substr(first, bytes_of_characters(text.substr(first), to - from)));
  }
  const std::vector<Value> items = subject.is_text() ? iterate(run, subject) : subject.list()->items;
  std::vector<Value> taken;
  // Compared before it is added to: a step may be as large as integers are.
  for (int64_t i = from; by > 0 ? i < to : i > to;) {
    taken.push_back(items[static_cast<size_t>(i)]);
    if (by > 0 ? by >= to - i : by <= to - i) break;
    i += by;
  }
  if (!subject.is_text()) return run.list(std::move(taken), subject.list()->shape);
  std::string text;
  for (const Value& character : taken) text += character.text();
  return run.text_of(subject, std::move(text));
}

std::string to_text(Run& run, const Value& value) {
  if (value.is_undefined()) return {};
  if (value.is_text()) return std::string(value.text());
  return to_source(run, value);
}

std::string to_safe_text(Run& run, const Value& value) {
  if (!value.is_text() || value.is_safe_text()) return to_text(run, value);
  std::string result;
  for (const char byte : value.text()) {
    switch (byte) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '\'': result += "&#39;"; break;
      case '"': result += "&#34;"; break;
      default: result += byte;
    }
  }
  run.meter().step(static_cast<int64_t>(result.size()));
  const Charge room(run.meter(), static_cast<int64_t>(result.size()));
  return result;
}

std::string to_source(Run& run, const Value& value) {
  if (value.is_undefined()) return "Undefined";
  if (value.is_none()) return "None";
  if (value.is<bool>()) return value.boolean() ? "True" : "False";
  if (value.is_integral()) return std::to_string(value.integer());
  if (value.is_number()) return show_real(value.real());
  std::string result;
  const auto add = [&](const Value& each) {
    const std::string source = to_source(run, each);
    run.meter().step(static_cast<int64_t>(source.size()));
    const Charge room(run.meter(), static_cast<int64_t>(result.size() + source.size()));
    result += source;
  };
  if (value.is_text()) {
    run.meter().step(static_cast<int64_t>(value.text().size()));
    return value.is_safe_text() ? "Markup(" + quote(value.text()) + ")" : quote(value.text());
  }
  if (const Dict* dict = value.dict()) {
    for (const auto& [key, member] : dict->items) {
      result += result.empty() ? "{" : ", ";
      add(key);
      result += ": ";
      add(member);
    }
    return result.empty() ? "{}" : result + "}";
  }
  if (!is_ordinary(value)) run.fail("{} as a text is not supported; try | list", value.kind());
  const bool is_tuple = value.list()->shape == List::Shape::tuple;
  for (const Value& each : value.list()->items) {
    result += result.empty() ? (is_tuple ? "(" : "[") : ", ";
    add(each);
  }
  if (result.empty()) result = is_tuple ? "(" : "[";
  if (is_tuple && value.list()->items.size() == 1) result += ",";
  return result + (is_tuple ? ")" : "]");
}

Value call(Run& run, const Value& callee, const Arguments& arguments) {
  require_defined(run, callee);
  if (const Macro* macro = callee.macro()) return run.call(*macro, arguments);
  if (const Function* function = callee.function()) return function->call(run, Value(), arguments);
  run.fail("{} cannot be called", callee.kind());
}

}  // namespace headroom::jinja
