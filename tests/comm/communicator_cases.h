// What every Communicator promises, as cases that each rank of a job runs; they throw where it is not so. Local ranks
// and ranks under a launcher run the same ones.
#pragma once

#include <span>

#include "headroom/comm/communicator.h"

namespace headroom {

struct CommunicatorCase {
  const char* name;
  void (*run)(Communicator&);
};

std::span<const CommunicatorCase> communicator_cases();

}  // namespace headroom
