// How fast bytes go between the ranks of a job, measured by all of them together before they plan.
#pragma once

#include <cstdint>

#include "headroom/comm/communicator.h"

namespace headroom {

// Of exchanges in which every rank sends to all others.
struct LinkRate {
  double bytes_per_second = 0;  // that a rank sends, and receives as many meanwhile
  double exchange_seconds = 0;  // of an exchange of next to nothing
  double processor_share = 0;   // of a transfer's time, what it takes from a rank that computes beside it
};

// What measure_link() holds at most, and gives back: as much as the parts of a model of `elements` weights may take,
// 1 to 16 MiB each way.
int64_t link_probe_bytes(int64_t elements, int64_t ranks);

// In half a second, on slow links in a few; the same numbers on all ranks. Holds the least `probe_bytes` of all.
LinkRate measure_link(Communicator& ranks, int64_t probe_bytes);

}  // namespace headroom
