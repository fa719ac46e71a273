#include "headroom/base/bytes.h"

#include <array>
#include <charconv>
#include <cmath>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

struct Unit {
  std::string_view name;
  double bytes;
};

constexpr std::array<Unit, 13> kUnits = {{{"", 1},
                                          {"B", 1},
                                          {"KiB", 1024.0},
                                          {"MiB", 1048576.0},
                                          {"GiB", 1073741824.0},
                                          {"TiB", 1099511627776.0},
                                          {"KB", 1e3},
                                          {"kB", 1e3},
                                          {"MB", 1e6},
                                          {"GB", 1e9},
                                          {"TB", 1e12},
                                          {"K", 1024.0},
                                          {"M", 1048576.0}}};

}  // namespace

int64_t parse_bytes(std::string_view text, std::string_view what) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  if (error == std::errc() && number >= 0 && std::isfinite(number)) {
    if (unit == "G") unit = "GiB";
    for (const Unit& known : kUnits) {
      if (unit == known.name && number * known.bytes < 9e18) return static_cast<int64_t>(number * known.bytes);
    }
  }
  throw InvalidInput("{}: '{}' is not a size; expected a number with a unit, such as 512MiB, 7GiB or 24GB", what, text);
}

std::string format_bytes(int64_t bytes) {
  constexpr std::array<std::pair<int64_t, const char*>, 3> kSteps = {{{kGiB, "GiB"}, {kMiB, "MiB"}, {kKiB, "KiB"}}};
  for (const auto& [step, name] : kSteps) {
    if (std::abs(bytes) >= step)
      return fmt::format("{:.2f} {}", static_cast<double>(bytes) / static_cast<double>(step), name);
  }
  return fmt::format("{} B", bytes);
}

std::string format_bytes_exactly(int64_t bytes) {
  return fmt::format("{} ({} bytes)", format_bytes(bytes), format_count(bytes));
}

std::string format_count(int64_t count) {
  std::string digits = fmt::format("{}", count);
  const size_t first = digits.front() == '-' ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

int64_t multiply_sizes(int64_t a, int64_t b, std::string_view what) {
  int64_t product = 0;
  if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product)) {
    throw InvalidInput("{}: the size {} x {} is absurd; expected a product below 2^63", what, a, b);
  }
  return product;
}

int64_t add_sizes(int64_t a, int64_t b, std::string_view what) {
  int64_t sum = 0;
  if (a < 0 || b < 0 || __builtin_add_overflow(a, b, &sum)) {
    throw InvalidInput("{}: the size {} + {} is absurd; expected a sum below 2^63", what, a, b);
  }
  return sum;
}

}  // namespace headroom
