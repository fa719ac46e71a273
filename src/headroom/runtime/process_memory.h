// What the kernel says of this process's memory and of the machine's; and the settings that keep the process small.
#pragma once

#include <cstdint>
#include <string>

namespace headroom {

// VmHWM: the largest resident set so far, in bytes. 0 where /proc is not there.
int64_t peak_resident_bytes();
// VmRSS: the resident set now.
int64_t resident_bytes();
// What of the resident set lies in transparent huge pages now: of a job, the arena. 0 where the kernel does not say.
int64_t huge_page_bytes();
// Lets VmHWM begin again from the resident set now, so that a job of a program that ran others is measured by itself.
// Called before a job takes anything: of a command, which runs one, it hides nothing. Where the kernel does not offer
// it (/proc/self/clear_refs), the peak stays the process's.
void restart_peak();

// What the environment takes of the stack, pointers included: it lies there, resident, before the first instruction.
int64_t environment_bytes();

// What this process can get now, in bytes beyond what it holds: the least of free memory, the limits of its container
// (cgroup v1 and v2) and of its own (RLIMIT_AS, RLIMIT_DATA); and which of them it is, for messages.
struct AvailableMemory {
  int64_t bytes = 0;
  std::string limit;  // "free memory of the machine", "the container's limit", "RLIMIT_AS"
};
AvailableMemory available_memory();

// One malloc arena, large blocks returned to the system at once. Call first in main, before threads.
void keep_heap_small();

}  // namespace headroom
