// The control groups (cgroup v1 and v2) that this process is in: containers set their limits there.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace headroom {

struct Cgroup {
  std::string directory;  // where its files stand
  bool is_v2 = false;
};

// Calls visit with the process's group of `controller` ("memory", "cpu") in each hierarchy that has one, and with all
// groups above it: a limit anywhere on the way binds. `groups` is /proc/self/cgroup, `root` where groups are mounted;
// what is not there is passed over.
void for_each_cgroup(std::string_view controller, const std::function<void(const Cgroup&)>& visit,
                     const std::string& groups = "/proc/self/cgroup", const std::string& root = "/sys/fs/cgroup");

// The bytes that a group of "memory" lets its processes take now: its limit less what they use. Pages of files that
// nobody is writing do not count as used, for the kernel drops them when the limit is reached. INT64_MAX without a
// limit.
int64_t available_memory_of(const Cgroup& group);

}  // namespace headroom
