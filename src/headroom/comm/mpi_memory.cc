#include "headroom/comm/mpi_memory.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "headroom/base/bytes.h"
#include "headroom/comm/launcher.h"

namespace headroom {
namespace {

// Measured on Debian 12 for 2 to 12 ranks of one machine, bound to cores or not: 10.5 to 14.5 MiB in all.
constexpr int64_t kLibraryBytes = 14 * kMiB;  // code and data of libmpi and its modules, ours, the thread's stack
constexpr int64_t kMpichBytes =
    2816 * kKiB;                            // what MPICH 4.0 takes beyond that: its segment is resident from the start
constexpr int64_t kPeerBytes = 160 * kKiB;  // boxes in the shared segments, lists
// The first few peers bring pages of the library with them that others use as well: less is there without them.
constexpr int64_t kFirstLibraryBytes = kLibraryBytes - 4352 * kKiB;
constexpr int64_t kFirstPeerBytes = 1792 * kKiB;
// Where a message cannot be read from the sender's memory it goes through the sender's segment, all of which its
// receivers then hold.
constexpr int64_t kSegmentBytes = 512 * kKiB;

constexpr char kSingleCopy[] = "OMPI_MCA_btl_vader_single_copy_mechanism";

// Containers may deny it; Open MPI finds that out only when a message fails.
bool may_read_memory_of_others() {
  const char* asked = std::getenv(kSingleCopy);
  if (asked != nullptr && std::string_view(asked) == "none") return false;
  char from = 1, to = 0;
  const iovec local = {&to, 1}, remote = {&from, 1};
  return ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == 1;
}

}  // namespace

int64_t communicator_reserve_bytes(int ranks) {
  if (ranks <= 1) return 0;
  const std::optional<Launch> launch = find_launch_of_several();
  const int64_t peers = ranks - 1;
  return std::min(kLibraryBytes + peers * kPeerBytes, kFirstLibraryBytes + peers * kFirstPeerBytes) +
         (launch && launch->launcher == Launcher::mpich ? kMpichBytes : 0) +
         (may_read_memory_of_others() ? 0 : ranks * kSegmentBytes);
}

void set_open_mpi_defaults() {
  const auto set = [](const char* name, const char* value) { ::setenv(name, value, 0); };
  set("OMPI_MCA_mpi_yield_when_idle", "0");  // ours do, after a moment
  set("OMPI_MCA_pml", "ob1");
  set("OMPI_MCA_btl", "self,vader,tcp");
  if (may_read_memory_of_others()) return;
  set(kSingleCopy, "none");
  set("OMPI_MCA_btl_vader_segment_size", "524288");
}

}  // namespace headroom
