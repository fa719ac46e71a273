#include "headroom/runtime/process_memory.h"

#include <fmt/core.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "headroom/base/bytes.h"
#include "headroom/base/cgroup.h"

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

void tighten(AvailableMemory& available, int64_t bytes, const char* limit, int64_t claimed_bytes = 0) {
  bytes = std::max<int64_t>(bytes - claimed_bytes, 0);
  if (bytes < available.bytes) available = {bytes, limit, claimed_bytes};
}

bool is_in(int64_t process, const Cgroup& group) {
  bool found = false;
  for_each_cgroup(
      "memory", [&](const Cgroup& of_process) { found = found || of_process.directory == group.directory; },
      fmt::format("/proc/{}/cgroup", process));
  return found;
}

// Of a group's memory only those who share it take.
void tighten_by_cgroups(AvailableMemory& available, std::span<const MemoryClaim> claims) {
  for_each_cgroup("memory", [&](const Cgroup& group) {
    const int64_t bytes = available_memory_of(group);
    if (bytes == std::numeric_limits<int64_t>::max()) return;
    int64_t claimed_bytes = 0;
    for (const MemoryClaim& claim : claims) claimed_bytes += is_in(claim.process, group) ? claim.bytes : 0;
    tighten(available, bytes, "the container's limit", claimed_bytes);
  });
}

}  // namespace

int64_t peak_resident_bytes() { return std::max<int64_t>(kilobytes_of("/proc/self/status", "VmHWM:"), 0); }

int64_t resident_bytes() { return std::max<int64_t>(kilobytes_of("/proc/self/status", "VmRSS:"), 0); }

int64_t resident_bytes_of(int64_t process) {
  return std::max<int64_t>(kilobytes_of(fmt::format("/proc/{}/status", process).c_str(), "VmRSS:"), 0);
}

int64_t huge_page_bytes() { return std::max<int64_t>(kilobytes_of("/proc/self/smaps_rollup", "AnonHugePages:"), 0); }

void restart_peak() {
  std::FILE* file = std::fopen("/proc/self/clear_refs", "w");
  if (file == nullptr) return;
  std::fputs("5", file);  // proc(5): 5 resets VmHWM
  std::fclose(file);
}

int64_t environment_bytes() {
  int64_t bytes = 0;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    bytes += static_cast<int64_t>(std::strlen(*variable) + 1 + sizeof *variable);
  }
  return bytes;
}

AvailableMemory available_memory(std::span<const MemoryClaim> claims) {
  AvailableMemory available{std::numeric_limits<int64_t>::max(), "nothing"};
  int64_t claimed_bytes = 0;
  for (const MemoryClaim& claim : claims) claimed_bytes += claim.bytes;
  const int64_t free = kilobytes_of("/proc/meminfo", "MemAvailable:");
  if (free >= 0) tighten(available, free, "free memory of the machine", claimed_bytes);
  tighten_by_cgroups(available, claims);
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
