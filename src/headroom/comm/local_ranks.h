// Ranks inside one process: what MPI does between processes, by memcpy. For tests of what ranks do together, where
// sanitizers see all of them.
#pragma once

#include <memory>
#include <vector>

#include "headroom/comm/communicator.h"

namespace headroom {

// The ranks of a job of `size`, each for a thread of its own. A message arrives when both ends have begun it, never
// before: as little as a network promises. Waits sleep. A rank leaves when its Communicator is destroyed or its wait
// has thrown: what it had begun is dropped, and others that wait for it throw MachineFailure with the name of the rank
// that left first. Throws InternalError where the two ends of a message differ in length.
std::vector<std::unique_ptr<Communicator>> make_local_ranks(int size);

}  // namespace headroom
