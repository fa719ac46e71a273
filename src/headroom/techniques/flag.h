// Flags of techniques (techniques/technique.h) and the values that a run gives them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace headroom {

enum class FlagKind : uint8_t { text, integer, number, on_off };

struct Flag {
  std::string_view name;   // "--clip-mode"
  std::string_view group;  // of --help: "Memory"
  std::string_view help;
  std::string_view standard;                   // the value where none is given
  FlagKind kind = FlagKind::text;              // on_off: "on" or "off"
  std::vector<std::string_view> choices = {};  // that may be given; empty: any of that kind
};

// Whether the text could be given as its value.
bool is_value(const Flag& flag, std::string_view text);

// A value for each flag of every technique: what was given, or its standard.
class FlagValues {
 public:
  FlagValues() = default;
  // By name. Throws InvalidInput naming a flag that no technique has, or whose value is none of its choices.
  explicit FlagValues(const std::map<std::string, std::string>& given);

  void set(std::string_view flag, std::string_view value);
  bool is_given(std::string_view flag) const { return given_.find(flag) != given_.end(); }

  std::string text(std::string_view flag) const;
  int64_t integer(std::string_view flag) const;
  double number(std::string_view flag) const;
  bool is(std::string_view flag, std::string_view value) const { return text(flag) == value; }

 private:
  std::map<std::string, std::string, std::less<>> given_;
};

}  // namespace headroom
