// What the kernel says of this process's memory and of the machine's; and the settings that keep the process small.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace headroom {

// VmHWM: the largest resident set so far, in bytes. 0 where /proc is not there.
int64_t peak_resident_bytes();
// VmRSS: the resident set now.
int64_t resident_bytes();
// That of another process; 0 where there is none of that number.
int64_t resident_bytes_of(int64_t process);
// What of the resident set lies in transparent huge pages now: of a job, the arena. 0 where the kernel does not say.
int64_t huge_page_bytes();
// Lets VmHWM begin again from the resident set now, so that a job of a program that ran others is measured by itself.
// Called before a job takes anything: of a command, which runs one, it hides nothing. Where the kernel does not offer
// it (/proc/self/clear_refs), the peak stays the process's.
void restart_peak();

// What the environment takes of the stack, pointers included: it lies there, resident, before the first instruction.
int64_t environment_bytes();

// What a process has planned with: how much more it may come to hold than it does now.
struct MemoryClaim {
  int64_t process = 0;
  int64_t bytes = 0;
};

// What this process can get now, in bytes beyond what it holds: the least of free memory, the limits of its container
// (cgroup v1 and v2) and of its own (RLIMIT_AS, RLIMIT_DATA), each less the `claims` on it; and which of them it is,
// for messages.
struct AvailableMemory {
  int64_t bytes = 0;
  std::string limit;          // "free memory of the machine", "the container's limit", "RLIMIT_AS"
  int64_t claimed_bytes = 0;  // of the limit, which are not in `bytes`
};
AvailableMemory available_memory(std::span<const MemoryClaim> claims);

// One malloc arena, large blocks returned to the system at once. Call first in main, before threads.
void keep_heap_small();

}  // namespace headroom
