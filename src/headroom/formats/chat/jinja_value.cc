#include "headroom/formats/chat/jinja_value.h"

namespace headroom::jinja {

std::string_view Value::text() const { return std::get<TextPtr>(data_)->bytes; }
bool Value::is_safe_text() const { return is_text() && std::get<TextPtr>(data_)->is_safe; }

bool Value::truth() const {
  if (is<bool>()) return boolean();
  if (is<int64_t>()) return integer() != 0;
  if (is<double>()) return real() != 0;
  if (is_text()) return !text().empty();
  if (const List* items = list()) return items->shape == List::Shape::iterator || !items->items.empty();
  if (const Dict* items = dict()) return !items->items.empty();
  return !is_undefined() && !is_none();
}

std::string_view Value::kind() const {
  constexpr std::string_view kKinds[] = {"undefined", "none",   "a boolean", "an integer",  "a number", "a text",
                                         "a list",    "a dict", "a loop",    "a namespace", "a macro",  "a function"};
  return kKinds[data_.index()];
}

int Value::depth() const {
  if (const List* items = list()) return items->depth;
  if (const Dict* items = dict()) return items->depth;
  return 0;
}

namespace {

bool equal_items(Meter& meter, const std::vector<Value>& a, const std::vector<Value>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!equal(meter, a[i], b[i])) return false;
  }
  return true;
}

bool equal_dicts(Meter& meter, const Dict& a, const Dict& b) {
  if (a.items.size() != b.items.size()) return false;
  for (const auto& [key, value] : a.items) {
    const Value* other = find(meter, b, key);
    if (other == nullptr || !equal(meter, value, *other)) return false;
  }
  return true;
}

}  // namespace

bool equal(Meter& meter, const Value& a, const Value& b) {
  meter.step();
  if (a.is_integral() && b.is_integral()) return a.integer() == b.integer();
  if (a.is_number() && b.is_number()) return a.real() == b.real();
  if (a.is_text() && b.is_text()) {
    if (a.text().size() != b.text().size()) return false;
    meter.step(static_cast<int64_t>(a.text().size()));
    return a.text() == b.text();
  }
  if (a.list() != nullptr && b.list() != nullptr) {
    if (a.list() == b.list()) return true;
    const bool ordinary = a.list()->shape < List::Shape::view;  // Python compares views and iterators by identity
    return ordinary && a.list()->shape == b.list()->shape && equal_items(meter, a.list()->items, b.list()->items);
  }
  if (a.dict() != nullptr && b.dict() != nullptr) return equal_dicts(meter, *a.dict(), *b.dict());
  if (a.loop() != nullptr || a.name_space() != nullptr || a.macro() != nullptr || a.function() != nullptr) {
    return a.loop() == b.loop() && a.name_space() == b.name_space() && a.macro() == b.macro() &&
           a.function() == b.function();
  }
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

const Value* find(Meter& meter, const Dict& dict, const Value& key) {
  meter.step(static_cast<int64_t>(dict.items.size()));
  for (const auto& [name, value] : dict.items) {
    if (equal(meter, name, key)) return &value;
  }
  return nullptr;
}

const Value* find(Meter& meter, const Dict& dict, std::string_view key) {
  meter.step(static_cast<int64_t>(dict.items.size()));
  for (const auto& [name, value] : dict.items) {
    if (name.is_text() && name.text() == key) return &value;
  }
  return nullptr;
}

}  // namespace headroom::jinja
