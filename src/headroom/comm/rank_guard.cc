#include "headroom/comm/rank_guard.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/comm/launcher.h"

namespace headroom {
namespace {

constexpr int kKilled = 4;  // the exit code of a MachineFailure (docs/cli.md)
constexpr int kPassedOn[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGCONT};

sigset_t guarded_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  for (const int signal : kPassedOn) sigaddset(&set, signal);
  return set;
}

std::string tell_death(int rank, int signal) {
  const char* name = ::sigabbrev_np(signal);
  return fmt::format("headroom: rank {} was killed by SIG{}{}\n", rank, name == nullptr ? "?" : name,
                     signal == SIGKILL ? ": by hand, or since its machine or container is out of memory" : "");
}

[[noreturn]] void guard(pid_t child, const Launch& launch, const sigset_t& signals) {
  const pid_t launcher = ::getppid();
  bool is_being_ended = false;
  for (;;) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) {
      if (WIFEXITED(status)) std::_Exit(WEXITSTATUS(status));
      const int signal = WTERMSIG(status);
      if (is_being_ended || signal == SIGTERM || signal == SIGINT) std::_Exit(128 + signal);
      write_note(tell_death(launch.rank, signal));
      std::_Exit(kKilled);
    }
    siginfo_t info = {};
    const int signal = ::sigwaitinfo(&signals, &info);
    if (signal <= 0 || signal == SIGCHLD) continue;
    if (signal == SIGTERM || signal == SIGINT) is_being_ended = true;
    if (info.si_pid != launcher && info.si_code != SI_KERNEL) ::kill(child, signal);
  }
}

}  // namespace

void stand_guard_over_rank() {
  const std::optional<Launch> launch = find_launch_of_several();
  if (!launch) return;
  const sigset_t signals = guarded_signals();
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  const pid_t guard_id = ::getpid();
  const pid_t child = ::fork();
  if (child < 0)
    throw MachineFailure("the machine gives no process for rank {}: {}", launch->rank, std::strerror(errno));
  if (child > 0) guard(child, *launch, signals);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != guard_id) std::_Exit(kKilled);  // it died before
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace headroom
