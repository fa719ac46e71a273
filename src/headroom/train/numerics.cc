#include "headroom/train/numerics.h"

#include <fmt/format.h>

#include <map>
#include <string_view>

namespace headroom {
namespace {

constexpr std::string_view kNumericsPrefix = "numerics.";

std::string describe(std::span<const double> counts) {
  const double all = counts[4];
  const double others = all - counts[3];
  return fmt::format(R"({{"nan": {:.6g}, "inf": {:.6g}, "underflow": {:.6g}, "zero": {:.6g}}})", counts[0] / all,
                     counts[1] / all, others > 0 ? counts[2] / others : 0.0, counts[3] / all);
}

}  // namespace

std::string describe_numerics(const Executor& step) {
  std::map<std::string, std::map<std::string, std::string>> scopes;
  for (const ValueId result : step.graph().results) {
    const std::string& name = step.graph().value(result).name;
    if (!name.starts_with(kNumericsPrefix)) continue;
    const size_t end = name.rfind('.');
    const std::string scope = name.substr(kNumericsPrefix.size(), end - kNumericsPrefix.size());
    const bool is_forward = name.substr(end + 1) == name_of(Phase::forward);
    scopes[scope][is_forward ? "activations" : "gradients"] = describe(step.result<double>(name).all());
  }
  std::string text;
  for (const auto& [scope, directions] : scopes) {
    text += fmt::format(R"({}"{}": {{)", text.empty() ? "" : ", ", scope);
    bool is_first = true;
    for (const auto& [direction, shares] : directions) {
      text += fmt::format(R"({}"{}": {})", is_first ? "" : ", ", direction, shares);
      is_first = false;
    }
    text += "}";
  }
  return text.empty() ? text : "{" + text + "}";
}

}  // namespace headroom
