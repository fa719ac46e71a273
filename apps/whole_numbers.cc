// What a whole number may look like. CLI11 reads 010 as eight, and takes what is too large for the largest and -1 for a
// number that has no sign.
#include <fmt/format.h>
#include <charconv>

#include "commands.h"

namespace headroom {
namespace {

template <class Number>
std::string normalise(std::string& text, const char* expected) {
  const std::string_view digits = std::string_view(text).substr(text.starts_with('+') ? 1 : 0);
  Number number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc() && end == digits.data() + digits.size()) {
    text = fmt::format("{}", number);
    return "";
  }
  return fmt::format("Value {} not in range {}", text, expected);  // as CLI11's own (usage_error.cc)
}

}  // namespace

void check_whole_numbers(CLI::App& app) {
  for (CLI::App* verb : app.get_subcommands([](CLI::App*) { return true; })) {
    for (CLI::Option* option : verb->get_options()) {
      const std::string type = option->get_type_name();
      if (type.starts_with("INT")) {
        option->transform(
            CLI::Validator([](std::string& text) { return normalise<int64_t>(text, "a whole number"); }, ""));
      } else if (type.starts_with("UINT")) {
        option->transform(CLI::Validator(
            [](std::string& text) { return normalise<uint64_t>(text, "a whole number from 0 to 2^64 - 1"); }, ""));
      }
    }
  }
}

}  // namespace headroom
