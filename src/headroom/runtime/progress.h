// A line on a terminal's standard error that says how far a job is; nothing where standard error is no terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace headroom {

class Progress {
 public:
  // `quiet`: never a line. The line appears after two seconds, at most ten times a second.
  Progress(std::string_view title, bool quiet);
  // Wipes the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // done of total; `note` is what stands behind the bar ("loss 3.21, 1,204 tokens/s").
  void show(int64_t done, int64_t total, std::string_view note = {});

  // Takes the line away until show() is called again: before something else is printed.
  void wipe();

  double elapsed_seconds() const;

 private:
  using Clock = std::chrono::steady_clock;
  std::string title_;
  bool enabled_;
  bool shown_ = false;
  Clock::time_point start_;
  Clock::time_point last_;
};

// "1 h 02 min", "3 min 20 s", "12 s".
std::string format_duration(double seconds);

}  // namespace headroom
