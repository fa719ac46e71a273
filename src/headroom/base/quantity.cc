#include "headroom/base/quantity.h"

#include <fmt/core.h>

#include <array>
#include <cmath>
#include <utility>

#include "headroom/base/bytes.h"

namespace headroom {
namespace {

// "1234", "123", "12.3", "1.23", "0.0123".
std::string three_digits(double value) {
  if (value == 0 || !std::isfinite(value)) return fmt::format("{}", value);
  const double last_digit = std::pow(10.0, std::floor(std::log10(std::abs(value))) - 2);
  const double rounded = std::round(value / last_digit) * last_digit;  // 999.9 has four digits before its point
  const int before_point = static_cast<int>(std::floor(std::log10(std::abs(rounded)) + 1e-9)) + 1;
  return fmt::format("{:.{}f}", value, before_point >= 3 ? 0 : 3 - before_point);
}

}  // namespace

std::string format_amount(double amount, std::string_view unit) {
  constexpr std::array<std::pair<double, std::string_view>, 5> kSteps = {
      {{1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}}};
  for (const auto& [step, prefix] : kSteps) {
    if (amount >= 0.9995 * step) return fmt::format("{} {}{}", three_digits(amount / step), prefix, unit);
  }
  return fmt::format("{} {}", amount == std::floor(amount) ? fmt::format("{:.0f}", amount) : three_digits(amount),
                     unit);
}

std::string format_seconds(double seconds) {
  if (seconds < 1e-3) return three_digits(seconds * 1e6) + " us";
  if (seconds < 1) return three_digits(seconds * 1e3) + " ms";
  if (seconds < 100) return three_digits(seconds) + " s";
  const int64_t whole = std::llround(seconds);
  if (whole >= 3600) return fmt::format("{} h {:02} min", format_count(whole / 3600), whole / 60 % 60);
  return fmt::format("{} min {:02} s", whole / 60, whole % 60);
}

std::string format_parameters(int64_t parameters) {
  const double count = static_cast<double>(parameters);
  if (parameters >= 999'500'000) return three_digits(count / 1e9) + " billion parameters";
  if (parameters >= 999'500) return three_digits(count / 1e6) + " million parameters";
  return format_count(parameters) + (parameters == 1 ? " parameter" : " parameters");
}

}  // namespace headroom
