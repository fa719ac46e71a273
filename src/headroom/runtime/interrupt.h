// SIGINT and SIGTERM as a question that a loop asks between steps, so that it can finish, save and leave; of a rank
// that a launcher started SIGUSR1 too, the one signal that launchers pass on to all ranks and let them live.
#pragma once

#include <array>
#include <csignal>

namespace headroom {

// What a job that leaves no file behind throws from its inside when a signal has come.
struct Interrupted {
  int signal = 0;
};

// "SIGINT", "SIGTERM" or "SIGUSR1".
const char* name_of_signal(int signal);

// From now on the two signals end the process with one sentence on standard error, but for those that it was started to
// ignore: for as long as there is nothing to finish or to clear away.
void end_with_sentence_on_signals();

class InterruptGuard {
 public:
  // From now on the signals are noted instead of ending the process; a second one of the same kind ends it. One
  // guard at a time in a process (signal dispositions belong to the process).
  InterruptGuard();
  // Restores what was before.
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  // The signal that came, or 0.
  int signal() const;
  // Throws Interrupted when one came.
  void check() const;

 private:
  std::array<struct sigaction, 3> before_;  // of SIGUSR1 only for a rank
};

}  // namespace headroom
