#include "headroom/runtime/interrupt.h"

#include <unistd.h>

#include <cstdlib>

#include "headroom/base/console.h"
#include "headroom/comm/launcher.h"

namespace headroom {
namespace {

// A handler can reach nothing else.
volatile std::sig_atomic_t noted_signal = 0;

void note(int number) { noted_signal = number; }

constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGUSR1};

// How many of them are noted.
size_t noted_signals() { return find_launch_of_several() ? 3 : 2; }

// Returns what was before.
struct sigaction dispose(int number, void (*handler)(int), int flags) {
  struct sigaction action = {}, before = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(number, &action, &before);
  return before;
}

// Calls nothing that a handler may not.
void end_with_sentence(int number) {
  if (isatty(STDERR_FILENO) == 1) write_note("\n");  // behind a bar, or the ^C
  write_note(number == SIGINT ? "headroom: stopped by SIGINT\n" : "headroom: stopped by SIGTERM\n");
  std::_Exit(128 + number);
}

}  // namespace

const char* name_of_signal(int signal) {
  return signal == SIGINT ? "SIGINT" : signal == SIGTERM ? "SIGTERM" : "SIGUSR1";
}

void end_with_sentence_on_signals() {
  for (const int number : {SIGINT, SIGTERM}) {
    const struct sigaction before = dispose(number, &end_with_sentence, 0);
    if (before.sa_handler == SIG_IGN) dispose(number, SIG_IGN, 0);
  }
}

InterruptGuard::InterruptGuard() {
  noted_signal = 0;
  for (size_t i = 0; i < noted_signals(); ++i) {
    before_[i] = dispose(kSignals[i], &note, static_cast<int>(SA_RESETHAND) | SA_RESTART);
  }
}

InterruptGuard::~InterruptGuard() {
  for (size_t i = 0; i < noted_signals(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
}

int InterruptGuard::signal() const { return noted_signal; }

void InterruptGuard::check() const {
  if (noted_signal != 0) throw Interrupted{noted_signal};
}

}  // namespace headroom
