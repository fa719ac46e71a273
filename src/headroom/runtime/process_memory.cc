#include "headroom/runtime/process_memory.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>

#include "headroom/base/bytes.h"

namespace headroom {
namespace {

// The number after `key` in a file of "key: N kB" lines, in bytes; -1 where it is missing.
int64_t kilobytes_of(const char* path, const char* key) {
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return -1;
  char line[256];
  int64_t found = -1;
  while (found < 0 && std::fgets(line, sizeof line, file) != nullptr) {
    if (std::strncmp(line, key, std::strlen(key)) == 0)
      found = std::strtoll(line + std::strlen(key), nullptr, 10) * kKiB;
  }
  std::fclose(file);
  return found;
}

int64_t number_in(const std::string& path) {
  std::ifstream file(path);
  int64_t number = -1;
  return file >> number ? number : -1;  // "max" reads as no number
}

void tighten(AvailableMemory& available, int64_t bytes, const char* limit) {
  if (bytes < available.bytes) available = {std::max<int64_t>(bytes, 0), limit};
}

// Free bytes under the limits of the group at `path` and all above it, down from `root`.
void tighten_by_cgroup(AvailableMemory& available, const std::string& root, std::string path, const char* limit_file,
                       const char* usage_file) {
  while (true) {
    const int64_t limit = number_in(root + path + "/" + limit_file);
    const int64_t usage = number_in(root + path + "/" + usage_file);
    if (limit >= 0 && usage >= 0) tighten(available, limit - usage, "the container's limit");
    if (path.empty()) return;
    path.resize(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
  }
}

void tighten_by_cgroups(AvailableMemory& available) {
  std::ifstream groups("/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    if (controllers.empty()) {
      tighten_by_cgroup(available, "/sys/fs/cgroup", path, "memory.max", "memory.current");
    } else if (controllers == "memory") {
      tighten_by_cgroup(available, "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes", "memory.usage_in_bytes");
    }
  }
}

}  // namespace

int64_t peak_resident_bytes() { return std::max<int64_t>(kilobytes_of("/proc/self/status", "VmHWM:"), 0); }

int64_t resident_bytes() { return std::max<int64_t>(kilobytes_of("/proc/self/status", "VmRSS:"), 0); }

void restart_peak() {
  std::FILE* file = std::fopen("/proc/self/clear_refs", "w");
  if (file == nullptr) return;
  std::fputs("5", file);  // proc(5): 5 resets VmHWM
  std::fclose(file);
}

AvailableMemory available_memory() {
  AvailableMemory available{std::numeric_limits<int64_t>::max(), "nothing"};
  const int64_t free = kilobytes_of("/proc/meminfo", "MemAvailable:");
  if (free >= 0) tighten(available, free, "free memory of the machine");
  tighten_by_cgroups(available);
  const auto tighten_by_limit = [&](int resource, const char* used_key, const char* name) {
    rlimit limit{};
    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    const int64_t used = std::max<int64_t>(kilobytes_of("/proc/self/status", used_key), 0);
    tighten(available, static_cast<int64_t>(limit.rlim_cur) - used, name);
  };
  tighten_by_limit(RLIMIT_AS, "VmSize:", "RLIMIT_AS");
  tighten_by_limit(RLIMIT_DATA, "VmData:", "RLIMIT_DATA");
  return available;
}

void keep_heap_small() {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, static_cast<int>(128 * kKiB));  // fixed: blocks above go back to the system when freed
  mallopt(M_TRIM_THRESHOLD, static_cast<int>(256 * kKiB));
  mallopt(M_TOP_PAD, static_cast<int>(64 * kKiB));
}

}  // namespace headroom
