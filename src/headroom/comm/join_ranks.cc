#include "headroom/comm/join_ranks.h"

#include <atomic>
#include <optional>

#include "headroom/base/errors.h"
#include "headroom/comm/launcher.h"
#include "headroom/comm/mpi_memory.h"
#include "headroom/comm/mpi_module.h"
#include "headroom/comm/mpi_ranks.h"

namespace headroom {
namespace {

std::atomic<Teller> teller = Teller::perhaps_rank_0;

}  // namespace

std::unique_ptr<Communicator> join_ranks(const RankSettings& settings) {
  const std::optional<Launch> launch = find_launch_of_several();
  if (!launch) return nullptr;
  if (settings.timeout_seconds < 2) {
    throw InvalidInput("a timeout of {} s for ranks; expected 2 or more", settings.timeout_seconds);
  }
  const HeadroomMpi& mpi = load_mpi_module();
  set_open_mpi_defaults();
  if (const int error = mpi.start(); error != 0) {
    throw MachineFailure("{} does not start (error {}); its own text tells why", mpi.library, error);
  }
  check_launch(*launch, mpi.rank(), mpi.size(), mpi.library);
  teller = Teller::this_rank;
  return make_mpi_ranks(mpi, settings);
}

Teller teller_of_failure() { return teller; }
void note_that_rank_0_ends() { teller = Teller::rank_0; }

}  // namespace headroom
