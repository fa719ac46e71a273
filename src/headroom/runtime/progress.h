// How far a job is, on standard error: on a terminal a line that is drawn anew, elsewhere a line from time to time.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace headroom {

class Progress {
 public:
  // `quiet`: never a line. On a terminal it appears after two seconds and changes at most ten times a second; elsewhere
  // (a file, a pipe) there is a line every thirty seconds.
  Progress(std::string_view title, bool quiet);
  // Of a job that counts its steps ("step 3 of 40") and begins behind step `first`.
  static Progress of_steps(std::string_view title, int64_t first, bool quiet);
  // Wipes the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Whether show() would say something now: for notes that take time to make.
  bool is_due() const;
  // done of total; `notes` stand behind it ("loss 3.21"), what matters most first: a terminal shows those that it has
  // columns for.
  void show(int64_t done, int64_t total, std::span<const std::string> notes = {});
  void show(int64_t done, int64_t total, std::initializer_list<std::string> notes) {
    show(done, total, std::span<const std::string>(notes.begin(), notes.size()));
  }

  // Takes the line away until show() is called again: before something else is printed.
  void wipe();

  double elapsed_seconds() const;

 private:
  using Clock = std::chrono::steady_clock;

  Progress(std::string_view title, int64_t first, bool counts_steps, bool quiet);
  void draw(std::string_view line, size_t columns);

  std::string title_;
  int64_t first_;
  bool counts_steps_;
  bool enabled_;
  bool on_terminal_;
  size_t drawn_columns_ = 0;  // of the line that stands there; 0: none
  Clock::time_point start_;
  Clock::time_point last_;
};

// The title and those of `parts`, in their order, that `columns` have room for, and a bar of `share` where there is
// room for one.
std::string progress_line(std::string_view title, double share, std::span<const std::string> parts, size_t columns);

// "1 h 02 min", "3 min 20 s", "12 s".
std::string format_duration(double seconds);

}  // namespace headroom
