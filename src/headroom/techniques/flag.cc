#include "headroom/techniques/flag.h"

#include <algorithm>
#include <charconv>

#include "headroom/base/errors.h"
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

template <class T>
bool parse(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// "auto, one-pass or tensor"
std::string join(const std::vector<std::string_view>& choices) {
  std::string text;
  for (size_t i = 0; i < choices.size(); ++i) {
    text += i == 0 ? "" : i + 1 == choices.size() ? " or " : ", ";
    text += choices[i];
  }
  return text;
}

std::string expected(const Flag& flag) {
  if (flag.kind == FlagKind::integer) return "a whole number";
  if (flag.kind == FlagKind::number) return "a number";
  return join(flag.choices);
}

template <class T>
T parsed(std::string_view flag, const std::string& text) {
  T value{};
  ensure(parse(text, value), "{} {}", flag, text);
  return value;
}

}  // namespace

bool is_value(const Flag& flag, std::string_view text) {
  int64_t integer = 0;
  double number = 0;
  if (flag.kind == FlagKind::integer && !parse(text, integer)) return false;
  if (flag.kind == FlagKind::number && !parse(text, number)) return false;
  if (flag.choices.empty() || text == flag.standard) return true;
  return std::find(flag.choices.begin(), flag.choices.end(), text) != flag.choices.end();
}

FlagValues::FlagValues(const std::map<std::string, std::string>& given) {
  for (const auto& [flag, value] : given) set(flag, value);
}

void FlagValues::set(std::string_view flag, std::string_view value) {
  const Flag* const known = find_flag(flag);
  if (known == nullptr) throw InvalidInput("{}: no technique has this flag", flag);
  if (!is_value(*known, value)) throw InvalidInput("{} {}: expected {}", known->name, value, expected(*known));
  given_[std::string(flag)] = value;
}

std::string FlagValues::text(std::string_view flag) const {
  const auto found = given_.find(flag);
  if (found != given_.end()) return found->second;
  const Flag* const known = find_flag(flag);
  ensure(known != nullptr, "no technique has the flag {}", flag);
  return std::string(known->standard);
}

int64_t FlagValues::integer(std::string_view flag) const { return parsed<int64_t>(flag, text(flag)); }
double FlagValues::number(std::string_view flag) const { return parsed<double>(flag, text(flag)); }

}  // namespace headroom
