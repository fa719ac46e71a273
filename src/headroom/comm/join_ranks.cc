#include "headroom/comm/join_ranks.h"

#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <optional>

#include "headroom/base/errors.h"
#include "headroom/comm/launcher.h"
#include "headroom/comm/mpi_module.h"
#include "headroom/comm/mpi_ranks.h"

namespace headroom {
namespace {

std::atomic<Teller> teller = Teller::perhaps_rank_0;

// Containers may deny one process to read another's memory; Open MPI finds that out only when a message fails.
bool may_read_memory_of_others() {
  char from = 1, to = 0;
  const iovec local = {&to, 1}, remote = {&from, 1};
  return ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == 1;
}

// What Open MPI is to be like unless the user says otherwise (mpirun --mca, the environment): waits that yield, and of
// its ways to move bytes those whose memory is known (communicator_reserve_bytes).
void set_open_mpi_defaults() {
  const auto set = [](const char* name, const char* value) { ::setenv(name, value, 0); };
  set("OMPI_MCA_mpi_yield_when_idle", "1");
  set("OMPI_MCA_pml", "ob1");
  set("OMPI_MCA_btl", "self,vader,tcp");
  if (!may_read_memory_of_others()) set("OMPI_MCA_btl_vader_single_copy_mechanism", "none");
}

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
