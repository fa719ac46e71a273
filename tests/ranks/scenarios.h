// Scenarios of test_ranks that measure.
#pragma once

#include <vector>

#include "headroom/comm/communicator.h"

namespace headroom {

// What MPI takes of each rank's memory, in kB, against communicator_reserve_bytes.
void measure_memory(Communicator& ranks, const std::vector<int>& numbers);

// Latency and bandwidth between ranks 0 and 1, and what a transfer costs a rank that computes meanwhile.
void measure_speed(Communicator& ranks, const std::vector<int>& numbers);

}  // namespace headroom
