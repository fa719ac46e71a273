#include "headroom/base/threads.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <fstream>
#include <limits>
#include <mutex>
#include <vector>

#include "headroom/base/cgroup.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr size_t kStackBytes = 256 * 1024;  // kernels keep their tiles in planned scratch, not on the stack
constexpr int kMostThreads = 1024;
// Some tens of microseconds: longer than the gap between two kernels of a step, and short enough that on a machine with
// other work a waiting thread sleeps (and is woken at once) rather than burn the time slice that it will need. Where
// there are more threads than processors, whoever spins keeps another from working: they sleep at once.
constexpr int kSpins = 2000;

void relax() { __builtin_ia32_pause(); }

// Processors that the group may use, a part of one counted whole; INT_MAX where it sets no quota. "max" of v2 and -1
// of v1 are none.
int quota_of(const Cgroup& group) {
  double quota = -1;
  double period = 0;
  if (group.is_v2) {
    std::ifstream(group.directory + "/cpu.max") >> quota >> period;
  } else {
    std::ifstream(group.directory + "/cpu.cfs_quota_us") >> quota;
    std::ifstream(group.directory + "/cpu.cfs_period_us") >> period;
  }
  if (!(quota > 0 && period > 0) || quota / period > kMostThreads) return std::numeric_limits<int>::max();
  return static_cast<int>(std::ceil(quota / period));
}

}  // namespace

struct Threads::State {
  std::atomic<uint64_t> round{0};
  std::atomic<int> running{0};
  std::atomic<bool> stopping{false};
  Body body = nullptr;
  void* context = nullptr;
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<pthread_t> workers;
  int spins = kSpins;
  struct Seat {
    State* state;
    int thread;
  };
  std::vector<Seat> seats;

  static void* work(void* argument) {
    const Seat seat = *static_cast<Seat*>(argument);
    uint64_t seen = 0;
    while (seat.state->wait_for_round(seen)) {
      ++seen;
      seat.state->body(seat.state->context, seat.thread);
      if (seat.state->running.fetch_sub(1, std::memory_order_acq_rel) == 1) seat.state->running.notify_one();
    }
    return nullptr;
  }

  // Spins, then sleeps, until round `seen` has passed. False when the threads are to end.
  bool wait_for_round(uint64_t seen) {
    for (int spin = 0; spin < spins; ++spin) {
      if (round.load(std::memory_order_acquire) != seen) return !stopping.load();
      relax();
    }
    std::unique_lock lock(mutex);
    wake.wait(lock, [&] { return round.load(std::memory_order_acquire) != seen; });
    return !stopping.load();
  }

  void start_round() {
    {
      const std::lock_guard lock(mutex);
      round.fetch_add(1, std::memory_order_release);
    }
    wake.notify_all();
  }
};

Threads::Threads(int count) : count_(count), state_(std::make_unique<State>()) {
  if (count < 1 || count > kMostThreads) throw InvalidInput("--threads {}: expected 1 to {}", count, kMostThreads);
  if (count > available_processors()) state_->spins = 0;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  state_->seats.resize(static_cast<size_t>(count));
  int error = 0;
  for (int thread = 1; thread < count && error == 0; ++thread) {
    State::Seat& seat = state_->seats[static_cast<size_t>(thread)];
    seat = {state_.get(), thread};
    pthread_t worker{};
    error = pthread_create(&worker, &attributes, &State::work, &seat);
    if (error == 0) state_->workers.push_back(worker);
  }
  pthread_attr_destroy(&attributes);
  if (error != 0) {
    const size_t started = state_->workers.size() + 1;
    state_->stopping = true;
    state_->start_round();
    for (const pthread_t worker : state_->workers) pthread_join(worker, nullptr);
    throw MachineFailure("the machine gave {} of {} threads; try a smaller --threads", started, count);
  }
}

Threads::~Threads() {
  state_->stopping = true;
  state_->start_round();
  for (const pthread_t worker : state_->workers) pthread_join(worker, nullptr);
}

void Threads::run_erased(Body body, void* context) {
  if (count_ > 1) {
    state_->body = body;
    state_->context = context;
    state_->running.store(count_ - 1, std::memory_order_relaxed);
    state_->start_round();
  }
  body(context, 0);
  std::atomic<int>& running = state_->running;
  for (int spin = 0; spin < state_->spins && running.load(std::memory_order_acquire) != 0; ++spin) relax();
  for (int left = running.load(std::memory_order_acquire); left != 0; left = running.load(std::memory_order_acquire)) {
    running.wait(left, std::memory_order_acquire);
  }
}

int available_processors(const std::string& cgroups, const std::string& cgroup_root) {
  cpu_set_t set;
  CPU_ZERO(&set);
  int processors = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
  for_each_cgroup(
      "cpu", [&](const Cgroup& group) { processors = std::min(processors, quota_of(group)); }, cgroups, cgroup_root);
  return std::max(processors, 1);
}

int threads_to_use(int flag) {
  if (flag < 0 || flag > kMostThreads) {
    throw InvalidInput("--threads {}: expected 1 to {}, or 0 for one for each processor", flag, kMostThreads);
  }
  return flag > 0 ? flag : std::min(available_processors(), kMostThreads);
}

}  // namespace headroom
