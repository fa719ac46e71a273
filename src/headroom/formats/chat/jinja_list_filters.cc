// Filters on lists and dicts, and the methods of lists, dicts and loops.
#include <algorithm>

#include "headroom/formats/chat/jinja_builtins.h"
#include "headroom/formats/chat/jinja_operators.h"
#include "headroom/formats/chat/jinja_text.h"

namespace headroom::jinja {
namespace {

using Shape = List::Shape;

Value pairs(Run& run, const Dict& dict, Shape shape) {
  std::vector<Value> items;
  for (const auto& [key, value] : dict.items) items.push_back(run.list({key, value}, Shape::tuple));
  return run.list(std::move(items), shape);
}

// "a.b.0": what the filters call an attribute. What is undefined on the way becomes `fallback`, if there is one.
Value attribute_of(Run& run, Value value, const Value& path, const Value* fallback = nullptr) {
  constexpr size_t kMaxDigits = 18;
  const auto member = [&](const Value& key) {
    Value found = item(run, value, key);
    return found.is_undefined() && fallback != nullptr ? *fallback : found;
  };
  if (!path.is_text()) return member(path);
  for (const std::string_view part : split(path.text(), ".", -1, false)) {
    const bool is_place = !part.empty() && part.size() <= kMaxDigits &&
                          std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    value = member(is_place ? Value(static_cast<int64_t>(std::stoll(std::string(part)))) : run.text(part));
  }
  return value;
}

// Texts in lower case, for orders that ignore case.
Value without_case(Run& run, const Value& value) {
  if (!value.is_text()) return value;
  std::optional<std::string> lower = to_lower(value.text());
  if (!lower) run.fail("an order that ignores the case of letters beyond ASCII is not supported");
  return run.text(std::move(*lower));
}

std::vector<Value> sorted(Run& run, std::vector<Value> items, std::vector<Value> keys, bool reverse) {
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return reverse ? compare(run, keys[b], keys[a]) < 0 : compare(run, keys[a], keys[b]) < 0;
  });
  std::vector<Value> result;
  for (const size_t i : order) result.push_back(items[i]);
  return result;
}

Arguments behind(const Arguments& arguments, size_t count) {
  Arguments rest;
  rest.positional.assign(arguments.positional.begin() + static_cast<int64_t>(count), arguments.positional.end());
  rest.named = arguments.named;
  return rest;
}

Value length_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "length", arguments, {});
  return Value(length(run, subject));
}

Value list_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "list", arguments, {});
  return run.list(iterate(run, subject));
}

Value first_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "first", arguments, {});
  if (const List* list = subject.list(); list != nullptr && list->shape == Shape::iterator) {
    return list->taken < list->items.size() ? list->items[list->taken++] : Value();
  }
  const std::vector<Value> items = iterate(run, subject);
  return items.empty() ? Value() : items.front();
}

Value last_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "last", arguments, {});
  if (subject.list() != nullptr && subject.list()->shape == Shape::iterator) run.fail("last: an iterator has no end");
  const std::vector<Value> items = iterate(run, subject);
  return items.empty() ? Value() : items.back();
}

Value reverse_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "reverse", arguments, {});
  require_defined(run, subject);
  std::vector<Value> items = iterate(run, subject);
  std::reverse(items.begin(), items.end());
  if (!subject.is_text()) return run.list(std::move(items), Shape::iterator);
  std::string text;
  for (const Value& character : items) text += character.text();
  return run.text_of(subject, std::move(text));
}

Value items_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "items", arguments, {});
  if (subject.is_undefined()) return run.list({}, Shape::iterator);
  if (subject.dict() == nullptr) run.fail("items: expected a dict, got {}", subject.kind());
  return pairs(run, *subject.dict(), Shape::iterator);
}

Value dictsort_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string_view by = given.text(1, "key");
  if (by != "key" && by != "value") run.fail("dictsort: by: expected key or value, got {}", by);
  if (subject.dict() == nullptr) run.fail("dictsort: expected a dict, got {}", subject.kind());
  std::vector<Value> keys;
  for (const auto& [key, value] : subject.dict()->items) {
    const Value& chosen = by == "key" ? key : value;
    keys.push_back(given.truth(0, false) ? chosen : without_case(run, chosen));
  }
  const Value all = pairs(run, *subject.dict(), Shape::list);
  return run.list(sorted(run, all.list()->items, std::move(keys), given.truth(2, false)));
}

Value sort_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "sort", arguments, {"reverse", "case_sensitive", "attribute"});
  std::vector<Value> items = iterate(run, subject);
  std::vector<Value> keys;
  for (const Value& each : items) {
    Value key = given.has(2) && !given[2].is_none() ? attribute_of(run, each, given[2]) : each;
    keys.push_back(given.truth(1, false) ? key : without_case(run, key));
  }
  return run.list(sorted(run, std::move(items), std::move(keys), given.truth(0, false)));
}

Value unique_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "unique", arguments, {"case_sensitive", "attribute"});
  std::vector<Value> kept;
  std::vector<Value> keys;
  for (const Value& each : iterate(run, subject)) {
    Value key = given.has(1) && !given[1].is_none() ? attribute_of(run, each, given[1]) : each;
    if (!given.truth(0, false)) key = without_case(run, key);
    const bool seen =
        std::any_of(keys.begin(), keys.end(), [&](const Value& old) { return equal(run.meter(), old, key); });
    if (seen) continue;
    keys.push_back(std::move(key));
    kept.push_back(each);
  }
  return run.list(std::move(kept), Shape::iterator);
}

Value default_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "default", arguments, {"default_value", "boolean"});
  if (!subject.is_undefined() && !(given.truth(1, false) && !subject.truth())) return subject;
  return given.has(0) ? given[0] : run.text(std::string());
}

Value map_filter(Run& run, const Value& subject, const Arguments& arguments) {
  std::vector<Value> results;
  if (arguments.positional.empty()) {
    const Parameters given(run, "map", arguments, {"attribute", "default"}, 1);
    for (const Value& each : iterate(run, subject)) {
      const bool has_fallback = given.has(1) && !given[1].is_none();
      results.push_back(attribute_of(run, each, given[0], has_fallback ? &given[1] : nullptr));
    }
    return run.list(std::move(results), Shape::iterator);
  }
  if (!arguments.positional[0].is_text()) run.fail("map: expected the name of a filter");
  const Function* filter = find_filter(arguments.positional[0].text());
  if (filter == nullptr) run.fail("the filter {} is not supported", arguments.positional[0].text());
  const Arguments rest = behind(arguments, 1);
  for (const Value& each : iterate(run, subject)) results.push_back(filter->call(run, each, rest));
  return run.list(std::move(results), Shape::iterator);
}

// select, reject, selectattr and rejectattr.
template <bool by_attribute, bool wanted>
Value select_filter(Run& run, const Value& subject, const Arguments& arguments) {
  const size_t place = by_attribute ? 1 : 0;
  const std::vector<Value>& given = arguments.positional;
  std::vector<Value> kept;
  if (!subject.truth()) return run.list({}, Shape::iterator);
  if (given.size() < place) run.fail("selectattr: expected the name of an attribute");
  const Function* test = nullptr;
  Arguments rest;
  if (given.size() > place) {
    if (given[place].is_text()) test = find_test(given[place].text());
    if (test == nullptr) run.fail("the test {} is not supported", to_text(run, given[place]));
    rest = behind(arguments, place + 1);
  }
  for (const Value& each : iterate(run, subject)) {
    const Value value = by_attribute ? attribute_of(run, each, given[0]) : each;
    const bool holds = test != nullptr ? test->call(run, value, rest).truth() : value.truth();
    if (holds == wanted) kept.push_back(each);
  }
  return run.list(std::move(kept), Shape::iterator);
}

constexpr Function kListFilters[] = {
    {"length", length_filter},
    {"count", length_filter},
    {"list", list_filter},
    {"first", first_filter},
    {"last", last_filter},
    {"reverse", reverse_filter},
    {"items", items_filter},
    {"dictsort", dictsort_filter},
    {"sort", sort_filter},
    {"unique", unique_filter},
    {"default", default_filter},
    {"d", default_filter},
    {"map", map_filter},
    {"select", select_filter<false, true>},
    {"reject", select_filter<false, false>},
    {"selectattr", select_filter<true, true>},
    {"rejectattr", select_filter<true, false>},
};

// Methods.

Value items_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "items", arguments, {});
  return pairs(run, *subject.dict(), Shape::view);
}

Value keys_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "keys", arguments, {});
  return run.list(iterate(run, subject), Shape::view);
}

Value values_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "values", arguments, {});
  std::vector<Value> values;
  for (const auto& [key, value] : subject.dict()->items) values.push_back(value);
  return run.list(std::move(values), Shape::view);
}

Value get_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "get", arguments, {"key", "default"}, 1);
  const Value* value = find(run.meter(), *subject.dict(), given[0]);
  if (value != nullptr) return *value;
  return given.has(1) ? given[1] : Value(None{});
}

Value copy_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters none(run, "copy", arguments, {});
  return subject;
}

Value count_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "count", arguments, {"value"}, 1);
  const std::vector<Value>& items = subject.list()->items;
  return Value(static_cast<int64_t>(std::count_if(
      items.begin(), items.end(), [&](const Value& each) { return equal(run.meter(), each, given[0]); })));
}

Value index_method(Run& run, const Value& subject, const Arguments& arguments) {
  const Parameters given(run, "index", arguments, {"value"}, 1);
  const std::vector<Value>& items = subject.list()->items;
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const Value& each) { return equal(run.meter(), each, given[0]); });
  if (found == items.end()) run.fail("index: the value is not in the list");
  return Value(static_cast<int64_t>(found - items.begin()));
}

Value cycle_method(Run& run, const Value& subject, const Arguments& arguments) {
  if (arguments.positional.empty()) run.fail("loop.cycle needs a value");
  return arguments.positional[static_cast<size_t>(subject.loop()->index) % arguments.positional.size()];
}

constexpr Function kDictMethods[] = {{"items", items_method},
                                     {"keys", keys_method},
                                     {"values", values_method},
                                     {"get", get_method},
                                     {"copy", copy_method}};
constexpr Function kListMethods[] = {{"count", count_method}, {"index", index_method}};
constexpr Function kLoopMethods[] = {{"cycle", cycle_method}};

}  // namespace

std::span<const Function> list_filters() { return kListFilters; }
std::span<const Function> dict_methods() { return kDictMethods; }
std::span<const Function> list_methods() { return kListMethods; }
std::span<const Function> loop_methods() { return kLoopMethods; }

}  // namespace headroom::jinja
