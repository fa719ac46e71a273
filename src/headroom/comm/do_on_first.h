// What one rank does for all of a job.
#pragma once

#include "headroom/comm/agreement.h"

namespace headroom {

// Runs `part`, which does not communicate, on rank 0, or here where there are no ranks (null). Returns when it is done;
// all ranks throw what it throws.
template <class Part>
void do_on_first(Communicator* ranks, Part part) {
  if (ranks == nullptr) return part();
  do_together(*ranks, [&] {
    if (ranks->rank() == 0) part();
  });
}

}  // namespace headroom
