// What MPI takes of a rank's memory beside the planned buffers, and the settings that make it so.
#pragma once

#include <cstdint>

namespace headroom {

// An upper bound of what joining `ranks` adds to this process (resident, with the pages of libraries and of segments
// that ranks of one machine share), whatever they exchange: part of the reserve (runtime/budget.h). 0 for one rank.
// Measured with Open MPI 4.1 over shared memory and TCP, and MPICH 4.0 where its mpiexec started this process
// (docs/ranks.md); other ways that the user asks for may take more.
int64_t communicator_reserve_bytes(int ranks);

// What Open MPI is to be like unless the user says otherwise (mpirun --mca, the environment): waits are ours, and of
// its ways to move bytes those whose memory is known. Before MPI starts.
void set_open_mpi_defaults();

}  // namespace headroom
