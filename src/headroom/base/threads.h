// A fixed set of threads with a static split of the work. No allocation after construction.
// Work is always cut by output, never along a sum, so that results do not depend on the number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace headroom {

class Threads {
 public:
  // `count` threads including the caller, at least 1. Throws InvalidInput below 1 or above 1024, MachineFailure when
  // the machine gives none.
  explicit Threads(int count);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  int count() const { return count_; }

  // Calls work(thread) once on each thread, 0 <= thread < count(), and returns when all are done. Not reentrant; called
  // from one thread at a time. `work` must not throw.
  template <class Work>
  void run(Work&& work) {
    using Plain = std::remove_reference_t<Work>;
    run_erased([](void* body, int thread) { (*static_cast<Plain*>(body))(thread); },
               const_cast<void*>(static_cast<const void*>(&work)));
  }

  // Splits [0, count) into one contiguous range a thread, whose ends are multiples of `grain`, and calls
  // work(begin, end, thread) where the range is not empty. What is one grain or less wakes no other thread.
  template <class Work>
  void split(int64_t count, int64_t grain, Work&& work) {
    const int64_t grains = (count + grain - 1) / grain;
    if (grains <= 1) {
      if (count > 0) work(int64_t{0}, count, 0);
      return;
    }
    run([&](int thread) {
      const int64_t begin = grains * thread / count_ * grain;
      int64_t end = grains * (thread + 1) / count_ * grain;
      if (end > count) end = count;
      if (begin < end) work(begin, end, thread);
    });
  }

 private:
  using Body = void (*)(void*, int);
  void run_erased(Body body, void* context);

  struct State;
  int count_;
  std::unique_ptr<State> state_;
};

// Processors this process may use (affinity and, where set, the container's CPU quota), at least 1. The places are
// those of for_each_cgroup (base/cgroup.h).
int available_processors(const std::string& cgroups = "/proc/self/cgroup",
                         const std::string& cgroup_root = "/sys/fs/cgroup");

// What --threads asks for: 0 is one for each of available_processors(). Throws InvalidInput outside 0 to 1024.
int threads_to_use(int flag);

}  // namespace headroom
