// What is wrong with a command line, in the words of headroom's other errors.
#include <fmt/format.h>
#include <algorithm>

#include "commands.h"
#include "headroom/base/did_you_mean.h"

namespace headroom {
namespace {

std::vector<std::string> verbs_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(verb->get_name());
  }
  return names;
}

std::string about_verb(const CLI::App& app) {
  const std::vector<std::string> left = app.remaining();
  const std::string expected = fmt::format("expected one of {}", fmt::join(verbs_of(app), ", "));
  if (left.empty()) return "a verb is missing; " + expected;
  if (left[0].starts_with('-')) return fmt::format("{}: stands before the verb; {} first", left[0], expected);
  return fmt::format("{}: there is no such verb; {}{}", left[0], expected, did_you_mean(left[0], verbs_of(app)));
}

bool is_flag(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

std::string about_flag(const CLI::App& verb, const std::string& flag) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : verb.get_options()) {
    if (option->nonpositional()) flags.push_back(option->get_name());
  }
  const std::string name = flag.substr(0, flag.find('='));
  return fmt::format("{}: {} has no such flag{}", name, verb.get_name(), did_you_mean(name, flags));
}

// CLI11's sentence with the house's words: "--batch-size x: expected a whole number".
std::string about_value(const CLI::App& verb, const std::string& text) {
  constexpr std::string_view kConversion = "Could not convert: ", kMissing = " missing", kRange = ": Value ";
  if (text.starts_with(kConversion)) {
    const size_t equal = text.find(" = ");
    const std::string name = text.substr(kConversion.size(), equal - kConversion.size());
    const CLI::Option* option = verb.get_option_no_throw(name);
    const bool whole = option != nullptr && option->get_type_name().ends_with("INT");
    const std::string value = text.substr(equal + 3);
    const bool large = value.find_first_not_of("+-0123456789") == std::string::npos;
    return fmt::format("{} {}: expected {}", name, value, !whole ? "a number" : large ? "less" : "a whole number");
  }
  const size_t colon = text.find(": ");
  if (colon == std::string::npos) return text;
  const std::string name = text.substr(0, colon);
  if (text.ends_with(kMissing)) return name + ": expected a value";
  if (const size_t outside = text.find(" not in range ");
      text.substr(colon).starts_with(kRange) && outside != text.npos) {
    const size_t value = colon + kRange.size();
    return fmt::format("{} {}: expected {}", name, text.substr(value, outside - value), text.substr(outside + 14));
  }
  if (const size_t outside = text.find(" not in {"); outside != std::string::npos && text.ends_with("}")) {
    std::string choices = text.substr(outside + 9);
    choices.pop_back();
    for (size_t comma = choices.find(','); comma != std::string::npos; comma = choices.find(',', comma + 2)) {
      choices.replace(comma, 1, choices.find(',', comma + 1) == std::string::npos ? " or " : ", ");
    }
    return fmt::format("{} {}: expected {}", name, text.substr(colon + 2, outside - colon - 2), choices);
  }
  return text;
}

}  // namespace

std::string usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  if (chosen.empty()) return about_verb(app) + "; try: headroom --help";
  const CLI::App& verb = *chosen[0];
  const std::vector<std::string> before = app.remaining(), left = verb.remaining();
  const std::string help = fmt::format("; try: headroom {} --help", verb.get_name());
  if (!before.empty()) return fmt::format("{}: stands before the verb, expected behind it", before[0]) + help;
  // A flag that is mistyped is wrong before anything else is: it leaves others without a value.
  const auto flag = std::find_if(left.begin(), left.end(), is_flag);
  if (flag != left.end()) return about_flag(verb, *flag) + help;
  if (!left.empty() && error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    return fmt::format("{}: {} takes no further argument", left[0], verb.get_name()) + help;
  }
  return about_value(verb, error.what()) + help;
}

}  // namespace headroom
