#include "headroom/base/did_you_mean.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

namespace headroom {
namespace {

// How many letters to insert, leave out or exchange.
size_t letters_between(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t before = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t change = before + (a[i] != b[j]);
      before = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, before + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string did_you_mean(std::string_view word, const std::vector<std::string>& names) {
  const auto nearer = [&](const std::string& a, const std::string& b) {
    return letters_between(word, a) < letters_between(word, b);
  };
  const auto nearest = std::min_element(names.begin(), names.end(), nearer);
  if (nearest == names.end() || letters_between(word, *nearest) > (word.size() < 4 ? 1 : 2)) return "";
  return fmt::format("; did you mean {}?", *nearest);
}

}  // namespace headroom
