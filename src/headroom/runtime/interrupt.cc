#include "headroom/runtime/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace headroom {
namespace {

// A handler can reach nothing else.
volatile std::sig_atomic_t noted_signal = 0;

void note(int number) { noted_signal = number; }

void dispose(int number, void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(number, &action, nullptr);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  noted_signal = 0;
  for (const int number : {SIGINT, SIGTERM}) dispose(number, &note, static_cast<int>(SA_RESETHAND) | SA_RESTART);
}

InterruptGuard::~InterruptGuard() {
  for (const int number : {SIGINT, SIGTERM}) dispose(number, SIG_DFL, 0);
}

int InterruptGuard::signal() const { return noted_signal; }

}  // namespace headroom
