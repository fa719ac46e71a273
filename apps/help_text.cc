// How the command's help looks at a terminal.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "commands.h"

namespace headroom {
namespace {

constexpr size_t kDescriptions = 30;  // the column where CLI11 begins them
constexpr size_t kLeastColumns = 50;

// The words of a line that is too long, in lines that begin below its description, or its first word.
void write_wrapped(std::string_view line, size_t columns, std::string& out) {
  const size_t first = std::min(line.find_first_not_of(' '), line.size());
  const bool describes = first == kDescriptions ||
                         (first == 2 && line.substr(0, kDescriptions).find("  ", first) != line.npos) ||
                         (first == 2 && line.substr(2, 1) == "-");
  const size_t indent = describes ? kDescriptions : first;
  std::string current(line.substr(0, first));
  bool is_empty = true;
  for (size_t at = first; at < line.size();) {
    // Spaces before a word stay where it stays in its line.
    const size_t word = std::min(line.find_first_not_of(' ', at), line.size());
    const size_t end = std::min(line.find(' ', word), line.size());
    if (!is_empty && current.size() + (end - at) > columns) {
      out += current + "\n";
      current.assign(indent, ' ');
      at = word;
    }
    current += line.substr(at, end - at);
    is_empty = false;
    at = end;
  }
  out += current + "\n";
}

}  // namespace

size_t help_columns() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

std::string wrap_help(const std::string& text, size_t columns) {
  std::string out;
  std::istringstream lines(text);
  bool was_empty = false;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() || !was_empty) {
      if (columns < kLeastColumns || line.size() <= columns) {
        out += line + "\n";
      } else {
        write_wrapped(line, columns, out);
      }
    }
    was_empty = line.empty();
  }
  return out;
}

}  // namespace headroom
