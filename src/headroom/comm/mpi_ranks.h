// The Communicator over MPI: MPI moves bytes between places that the caller planned, and nothing else.
//
// Every rank sends every other a sign of life a second, from a thread of its own; so a rank is given up for silence and
// not for slowness. The same thread lets messages go on while the others compute.
#pragma once

#include <memory>

#include "headroom/comm/communicator.h"
#include "headroom/comm/join_ranks.h"
#include "headroom/comm/mpi/module_abi.h"

namespace headroom {

// `mpi` has been started.
std::unique_ptr<Communicator> make_mpi_ranks(const HeadroomMpi& mpi, const RankSettings& settings);

}  // namespace headroom
