#include "headroom/runtime/command_line.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

namespace headroom {
namespace {

constexpr size_t kMostBytes = 2000;

std::string quoted(std::string_view word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) return std::string(word);
  std::string safe = "'";
  for (const char c : word) safe += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return safe + "'";
}

}  // namespace

std::string command_line() {
  std::array<char, kMostBytes> bytes{};
  std::FILE* const file = std::fopen("/proc/self/cmdline", "re");
  if (file == nullptr) return "";
  const size_t size = std::fread(bytes.data(), 1, bytes.size(), file);
  std::fclose(file);
  std::string text;
  std::string_view rest(bytes.data(), size);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\0'), rest.size());
    std::string_view word = rest.substr(0, end);
    if (text.empty()) word.remove_prefix(word.rfind('/') == std::string_view::npos ? 0 : word.rfind('/') + 1);
    text += (text.empty() ? "" : " ") + quoted(word);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return size == kMostBytes ? text + " ..." : text;
}

}  // namespace headroom
