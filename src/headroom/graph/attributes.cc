#include "headroom/graph/attributes.h"

#include <algorithm>

#include "headroom/base/errors.h"

namespace headroom {

Attributes::Attributes(std::initializer_list<std::pair<std::string_view, Number>> entries) {
  for (const auto& [key, number] : entries) set(key, number);
}

void Attributes::set(std::string_view key, Number number) {
  for (auto& [known, value] : entries_) {
    if (known == key) {
      value = number;
      return;
    }
  }
  entries_.emplace_back(key, number);
}

bool Attributes::has(std::string_view key) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.first == key; });
}

const Attributes::Number& Attributes::at(std::string_view key) const {
  for (const auto& [known, number] : entries_) {
    if (known == key) return number;
  }
  throw InternalError("a node lacks the attribute '{}'", key);
}

int64_t Attributes::integer(std::string_view key) const {
  const Number& number = at(key);
  ensure(std::holds_alternative<int64_t>(number), "the attribute '{}' is not an integer", key);
  return std::get<int64_t>(number);
}

double Attributes::real(std::string_view key) const {
  const Number& number = at(key);
  ensure(std::holds_alternative<double>(number), "the attribute '{}' is not a real number", key);
  return std::get<double>(number);
}

}  // namespace headroom
