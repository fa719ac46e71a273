#include "headroom/formats/chat/jinja_builtins.h"

#include <algorithm>

namespace headroom::jinja {
namespace {

const Function* find_in(std::span<const Function> table, std::string_view name) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Function& entry) { return entry.name == name; });
  return found == table.end() ? nullptr : &*found;
}

}  // namespace

const Function* find_filter(std::string_view name) {
  for (const auto table : {text_filters(), list_filters(), number_filters()}) {
    if (const Function* found = find_in(table, name)) return found;
  }
  return nullptr;
}

const Function* find_test(std::string_view name) { return find_in(tests(), name); }
const Function* find_function(std::string_view name) { return find_in(functions(), name); }

const Function* find_method(const Value& subject, std::string_view name) {
  if (subject.is_text()) return find_in(text_methods(), name);
  if (subject.dict() != nullptr) return find_in(dict_methods(), name);
  if (subject.list() != nullptr) return find_in(list_methods(), name);
  if (subject.loop() != nullptr) return find_in(loop_methods(), name);
  return nullptr;
}

bool is_method(std::string_view name) {
  const auto tables = {text_methods(), dict_methods(), list_methods(), loop_methods()};
  return std::any_of(tables.begin(), tables.end(), [&](auto table) { return find_in(table, name) != nullptr; });
}

Parameters::Parameters(Run& run, std::string_view callee, const Arguments& arguments,
                       std::initializer_list<std::string_view> names, size_t required)
    : run_(run), callee_(callee), names_(names), values_(names.size(), nullptr) {
  if (arguments.positional.size() > names_.size()) {
    run_.fail("{} takes at most {} arguments, got {}", callee_, names_.size(), arguments.positional.size());
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto place = static_cast<size_t>(std::find(names_.begin(), names_.end(), name) - names_.begin());
    if (place == names_.size()) run_.fail("{} has no argument {}", callee_, name);
    if (values_[place] != nullptr) run_.fail("{} gets its argument {} twice", callee_, name);
    values_[place] = &value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (values_[i] == nullptr) run_.fail("{} needs its argument {}", callee_, names_[i]);
  }
}

int64_t Parameters::integer(size_t i, int64_t fallback) const {
  if (!has(i)) return fallback;
  if (!values_[i]->is_integral())
    run_.fail("{}: {}: expected an integer, got {}", callee_, names_[i], values_[i]->kind());
  return values_[i]->integer();
}

std::string_view Parameters::text(size_t i) const {
  if (!values_[i]->is_text()) run_.fail("{}: {}: expected a text, got {}", callee_, names_[i], values_[i]->kind());
  return values_[i]->text();
}

}  // namespace headroom::jinja
