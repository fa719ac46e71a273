#include "headroom/runtime/interrupt.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <string>

namespace headroom {
namespace {

bool has_default_handler(int signal) {
  struct sigaction now = {};
  sigaction(signal, nullptr, &now);
  return now.sa_handler == SIG_DFL;
}

TEST(InterruptGuard, NotesTheSignalThatCame) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const InterruptGuard guard;
    EXPECT_EQ(guard.signal(), 0);
    std::raise(signal);
    EXPECT_EQ(guard.signal(), signal);
    EXPECT_THROW(guard.check(), Interrupted);
  }
  EXPECT_TRUE(has_default_handler(SIGTERM));
}

TEST(InterruptGuard, NotesTheLaunchersSignalInARankOnly) {
  {
    const InterruptGuard guard;
    EXPECT_TRUE(has_default_handler(SIGUSR1));
  }
  ::setenv("OMPI_COMM_WORLD_RANK", "1", 1);
  ::setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
  {
    const InterruptGuard guard;
    std::raise(SIGUSR1);
    EXPECT_EQ(guard.signal(), SIGUSR1);
    EXPECT_STREQ(name_of_signal(SIGUSR1), "SIGUSR1");
  }
  EXPECT_TRUE(has_default_handler(SIGUSR1));
  ::unsetenv("OMPI_COMM_WORLD_RANK");
  ::unsetenv("OMPI_COMM_WORLD_SIZE");
}

}  // namespace
}  // namespace headroom
