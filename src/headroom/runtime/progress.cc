#include "headroom/runtime/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "headroom/base/console.h"

namespace headroom {
namespace {

constexpr size_t kMostColumns = 79;  // half a wide terminal, so that a line which a narrower one wraps has two rows
constexpr size_t kBarCells = 24;
constexpr size_t kFewestBarCells = 6;
constexpr std::chrono::seconds kFirstDraw{2};
constexpr std::chrono::milliseconds kBetweenDraws{100};
constexpr std::chrono::seconds kBetweenLines{30};

size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kMostColumns + 1;
}

}  // namespace

Progress::Progress(std::string_view title, int64_t first, bool counts_steps, bool quiet)
    : title_(title),
      first_(first),
      counts_steps_(counts_steps),
      enabled_(!quiet),
      on_terminal_(isatty(STDERR_FILENO) == 1),
      start_(Clock::now()),
      last_(start_) {}

Progress::Progress(std::string_view title, bool quiet) : Progress(title, 0, false, quiet) {}

Progress Progress::of_steps(std::string_view title, int64_t first, bool quiet) { return {title, first, true, quiet}; }

Progress::~Progress() { wipe(); }

// The row above the line was left blank for it: what is drawn begins there again.
void Progress::wipe() {
  if (drawn_columns_ > 0) write_note("\r\033[K\033[A");
  drawn_columns_ = 0;
}

bool Progress::is_due() const {
  if (!enabled_) return false;
  const Clock::time_point now = Clock::now();
  return on_terminal_ ? now - start_ >= kFirstDraw && now - last_ >= kBetweenDraws : now - last_ >= kBetweenLines;
}

void Progress::show(int64_t done, int64_t total, std::span<const std::string> notes) {
  if (total <= 0 || !is_due()) return;
  last_ = Clock::now();
  const double share = std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0);
  const std::string steps = fmt::format("step {} of {}", done, total);
  std::vector<std::string> parts;
  if (!counts_steps_ || !on_terminal_) parts.push_back(fmt::format("{:.0f} %", share * 100));
  if (done > first_) {
    const double rest = static_cast<double>(total - done) / static_cast<double>(done - first_);
    parts.push_back(format_duration(elapsed_seconds() * rest) + " left");
  }
  parts.insert(parts.end(), notes.begin(), notes.end());
  if (on_terminal_) {
    const size_t columns = std::min(terminal_columns() - 1, kMostColumns);
    draw(progress_line(counts_steps_ ? steps : title_, share, parts, columns), columns + 1);
  } else {
    print_note("{}, {}\n", counts_steps_ ? title_ + ": " + steps : title_, fmt::join(parts, ", "));
  }
}

// A terminal that became narrower may have wrapped the line that stands there: its first row is then the one above.
// One that cuts lines has the blank row there instead. Either way all from it on is cleared.
void Progress::draw(std::string_view line, size_t columns) {
  if (drawn_columns_ == 0) {
    write_note("\n");
  } else if (drawn_columns_ > columns) {
    write_note("\033[A\r\033[J\n");
  }
  print_note("\r\033[K{}", line);
  drawn_columns_ = line.size();
}

double Progress::elapsed_seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

std::string progress_line(std::string_view title, double share, std::span<const std::string> parts, size_t columns) {
  std::string line(title.substr(0, columns));
  std::string rest;
  for (const std::string& part : parts) {
    if (line.size() + rest.size() + 2 + part.size() <= columns) rest += "  " + part;
  }
  const size_t room = columns - line.size() - rest.size();
  if (room >= kFewestBarCells + 3) {  // a blank and the brackets
    const size_t cells = std::min(room - 3, kBarCells);
    const size_t full = static_cast<size_t>(share * static_cast<double>(cells));
    line += fmt::format(" [{:=<{}}{: <{}}]", "", full, "", cells - full);
  }
  return line + rest;
}

std::string format_duration(double seconds) {
  const int64_t whole = static_cast<int64_t>(seconds + 0.5);
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} s", whole);
}

}  // namespace headroom
