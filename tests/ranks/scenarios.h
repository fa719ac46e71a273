// Scenarios of test_ranks that measure.
#pragma once

#include <cstdint>
#include <vector>

#include "headroom/comm/communicator.h"

namespace headroom {

// What joining and exchanging took of each rank's memory, against communicator_reserve_bytes; throws unless that is
// enough and at most 8 MiB too much.
void measure_memory(Communicator& ranks, int64_t resident_before_bytes);

// Latency and bandwidth between ranks 0 and 1, and what a transfer costs a rank that computes meanwhile.
void measure_speed(Communicator& ranks, const std::vector<int>& numbers);

}  // namespace headroom
