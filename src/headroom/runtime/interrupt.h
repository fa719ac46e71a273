// SIGINT and SIGTERM as a question that a loop asks between steps, so that it can finish, save and leave.
#pragma once

namespace headroom {

class InterruptGuard {
 public:
  // From now on the two signals are noted instead of ending the process; a second one of the same kind ends it. One
  // guard at a time in a process (signal dispositions belong to the process).
  InterruptGuard();
  // Restores what was before.
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  // The signal that came, or 0.
  int signal() const;
};

// What a job that leaves no file behind throws from its inside when a signal has come.
struct Interrupted {
  int signal = 0;
};

}  // namespace headroom
