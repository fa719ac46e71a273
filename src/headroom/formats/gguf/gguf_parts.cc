#include "headroom/formats/gguf/gguf_parts.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr std::string_view kEnding = ".gguf";
constexpr size_t kDigits = 5;
constexpr std::string_view kOf = "-of-";
constexpr size_t kNumberBytes = 1 + kDigits + kOf.size() + kDigits;  // "-00001-of-00003"

// A path cut around the numbers of its part.
struct PartName {
  std::string stem;
  int64_t number;  // from 1
  int64_t count;
  std::string ending;

  std::string with(int64_t other) const { return fmt::format("{}-{:05}-of-{:05}{}", stem, other, count, ending); }
};

std::optional<int64_t> number_in(std::string_view digits) {
  int64_t number = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return std::nullopt;
    number = number * 10 + (digit - '0');
  }
  return number;
}

std::optional<PartName> parse(const std::string& path) {
  if (!has_gguf_ending(path) || path.size() < kNumberBytes + kEnding.size()) return std::nullopt;
  const size_t begin = path.size() - kEnding.size() - kNumberBytes;
  const std::string_view numbers = std::string_view(path).substr(begin, kNumberBytes);
  if (numbers[0] != '-' || numbers.substr(1 + kDigits, kOf.size()) != kOf) return std::nullopt;
  const auto number = number_in(numbers.substr(1, kDigits));
  const auto count = number_in(numbers.substr(kNumberBytes - kDigits));
  if (!number || !count || *number < 1 || *number > *count) return std::nullopt;
  return PartName{path.substr(0, begin), *number, *count, path.substr(path.size() - kEnding.size())};
}

}  // namespace

bool has_gguf_ending(const std::string& path) {
  return path.size() >= kEnding.size() &&
         std::equal(kEnding.begin(), kEnding.end(), path.end() - static_cast<ptrdiff_t>(kEnding.size()),
                    [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
}

std::string gguf_file_in(const std::string& directory) {
  std::string first;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string path = entry.path().string();
    if (has_gguf_ending(path) && (first.empty() || path < first)) first = path;
  }
  return first;
}

std::string first_gguf_part(const std::string& path) {
  const std::optional<PartName> name = parse(path);
  return name ? name->with(1) : path;
}

std::string gguf_part(const std::string& first, int64_t index, int64_t count) {
  const std::optional<PartName> name = parse(first);
  if (name && name->number == 1 && name->count == count) return name->with(index + 1);
  throw InvalidInput(
      "{}: is one of {} parts of a model; expected the name ...-00001-of-{:05}.gguf for the first, by which the others "
      "are "
      "found",
      first, count, count);
}

}  // namespace headroom
