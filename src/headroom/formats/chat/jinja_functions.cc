// The functions that a template may call.
#include <algorithm>
#include <ctime>

#include "headroom/formats/chat/jinja_builtins.h"
#include "headroom/formats/chat/jinja_operators.h"

namespace headroom::jinja {
namespace {

constexpr int64_t kMaxRange = 100000;  // as jinja2's sandbox
constexpr size_t kMaxFormat = 256;

Value raise_exception(Run& run, const Value& /*subject*/, const Arguments& arguments) {
  const Parameters given(run, "raise_exception", arguments, {"message"}, 1);
  run.fail("the template refuses this conversation: {}", to_text(run, given[0]));
}

Value range(Run& run, const Value& /*subject*/, const Arguments& arguments) {
  const Parameters given(run, "range", arguments, {"start", "stop", "step"}, 1);
  if (!arguments.named.empty()) run.fail("range takes no arguments with names");
  const int64_t begin = given.has(1) ? given.integer(0, 0) : 0;
  const int64_t end = given.has(1) ? given.integer(1, 0) : given.integer(0, 0);
  const int64_t step = given.integer(2, 1);
  if (step == 0) run.fail("range: the step is 0");
  std::vector<Value> items;
  for (int64_t i = begin; step > 0 ? i < end : i > end;) {
    if (static_cast<int64_t>(items.size()) == kMaxRange) run.fail("range: more than {} numbers", kMaxRange);
    items.push_back(Value(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return run.list(std::move(items), List::Shape::range);
}

// The members of a dict, or pairs, and then the named arguments.
std::vector<std::pair<Value, Value>> members(Run& run, std::string_view callee, const Arguments& arguments) {
  std::vector<std::pair<Value, Value>> items;
  if (arguments.positional.size() > 1) run.fail("{} takes at most one argument without a name", callee);
  for (const Value& from : arguments.positional) {
    require_defined(run, from);
    if (from.dict() != nullptr) {
      items = from.dict()->items;
      continue;
    }
    for (const Value& pair : iterate(run, from)) {
      const std::vector<Value> both = iterate(run, pair);
      if (both.size() != 2) run.fail("{}: expected pairs, got {} items", callee, both.size());
      items.emplace_back(both[0], both[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) items.emplace_back(run.text(name), value);
  return items;
}

Value dict(Run& run, const Value& /*subject*/, const Arguments& arguments) {
  return run.dict(members(run, "dict", arguments));
}

Value name_space(Run& run, const Value& /*subject*/, const Arguments& arguments) {
  std::vector<std::pair<std::string, Value>> named;
  for (const auto& [key, value] : members(run, "namespace", arguments)) {
    if (!key.is_text()) run.fail("namespace: the name of a member is {}", key.kind());
    named.emplace_back(key.text(), value);
  }
  return run.name_space(std::move(named));
}

// The local time, as datetime.now().strftime(format).
Value strftime_now(Run& run, const Value& /*subject*/, const Arguments& arguments) {
  const Parameters given(run, "strftime_now", arguments, {"format"}, 1);
  const std::string format(given.text(0));
  if (format.size() > kMaxFormat) run.fail("strftime_now: the format is too long");
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  localtime_r(&now, &parts);
  std::string text(16 * kMaxFormat, '\0');
  text.resize(std::strftime(text.data(), text.size(), format.c_str(), &parts));
  return run.text(std::move(text));
}

constexpr Function kFunctions[] = {
    {"raise_exception", raise_exception}, {"range", range}, {"dict", dict}, {"namespace", name_space},
    {"strftime_now", strftime_now},
};

}  // namespace

std::span<const Function> functions() { return kFunctions; }

}  // namespace headroom::jinja
