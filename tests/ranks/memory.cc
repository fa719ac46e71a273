#include <algorithm>
#include <cstdint>
#include <vector>

#include "headroom/base/bytes.h"
#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/comm/agreement.h"
#include "headroom/comm/collectives.h"
#include "headroom/comm/mpi_memory.h"
#include "headroom/runtime/process_memory.h"
#include "tests/ranks/scenarios.h"

namespace headroom {
namespace {

// 1 B to 16 MiB to and from every other rank, several times each; the bytes of the buffers.
int64_t exchange_with_all(Communicator& ranks) {
  constexpr int64_t kMostBytes = 16 * kMiB;
  std::vector<std::byte> out(static_cast<size_t>(kMostBytes), std::byte{1}), in(out);
  for (const int64_t bytes : {int64_t{1}, 4 * kKiB, 64 * kKiB, kMiB, kMostBytes}) {
    Exchange exchange;
    int64_t at = 0;
    const int64_t part = std::max<int64_t>(bytes / (ranks.size() - 1), 1);
    for (int peer = 0; peer < ranks.size(); ++peer) {
      if (peer == ranks.rank()) continue;
      exchange.sends.push_back({peer, out.data() + (at + part <= kMostBytes ? at : 0), part});
      exchange.receives.push_back({peer, in.data() + at, part});
      at += part;
    }
    for (int i = 0; i < (bytes < kMiB ? 20 : 3); ++i) {
      ranks.begin(exchange);
      ranks.wait(exchange);
    }
  }
  return 2 * kMostBytes;
}

}  // namespace

void measure_memory(Communicator& ranks, int64_t resident_before_bytes) {
  const int64_t buffer_bytes = exchange_with_all(ranks);
  const int64_t measured = peak_resident_bytes() - resident_before_bytes - buffer_bytes;
  const int64_t predicted = communicator_reserve_bytes(ranks.size());
  const std::string mine =
      fmt::format("rank {}: measured {} KiB, predicted {} KiB\n", ranks.rank(), measured / kKiB, predicted / kKiB);
  for (const std::string& one : all_gather_texts(ranks, mine)) {
    if (ranks.rank() == 0) print_result("{}", one);
  }
  do_together(ranks, [&] {
    ensure(measured <= predicted && predicted - measured <= 8 * kMiB, "measured {} B, predicted {} B", measured,
           predicted);
  });
}

}  // namespace headroom
