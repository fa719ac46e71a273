#include "headroom/runtime/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "headroom/base/console.h"

namespace headroom {
namespace {

constexpr int kBarCells = 24;

size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 100;
}

}  // namespace

Progress::Progress(std::string_view title, bool quiet)
    : title_(title), enabled_(!quiet && isatty(STDERR_FILENO) == 1), start_(Clock::now()), last_(start_) {}

Progress::~Progress() { wipe(); }

void Progress::wipe() {
  if (shown_) write_note("\r\033[K");
  shown_ = false;
}

void Progress::show(int64_t done, int64_t total, std::string_view note) {
  if (!enabled_ || total <= 0) return;
  const Clock::time_point now = Clock::now();
  if (now - start_ < std::chrono::seconds(2) || now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  shown_ = true;
  const double share = std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0);
  const int cells = static_cast<int>(share * kBarCells);
  std::string line =
      fmt::format("{} [{:=<{}}{: <{}}] {:3.0f} %", title_, "", cells, "", kBarCells - cells, share * 100);
  if (share > 0) line += fmt::format("  {} left", format_duration(elapsed_seconds() * (1 - share) / share));
  if (!note.empty()) line += fmt::format("  {}", note);
  line.resize(std::min(line.size(), terminal_columns() - 1));
  print_note("\r\033[K{}", line);
}

double Progress::elapsed_seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

std::string format_duration(double seconds) {
  const int64_t whole = static_cast<int64_t>(seconds + 0.5);
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} s", whole);
}

}  // namespace headroom
