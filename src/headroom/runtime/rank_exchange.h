// What a node of the network's lane moves, bound to the memory of one rank (ops/gather.h, ops/scatter.h).
#pragma once

#include <vector>

#include "headroom/backend/kernel.h"
#include "headroom/comm/communicator.h"
#include "headroom/graph/graph.h"

namespace headroom {

struct RankExchange {
  Exchange messages;
  // The own part, which does not leave the rank, and what lies beyond it.
  struct Copy {
    const std::byte* from = nullptr;
    std::byte* to = nullptr;
    int64_t size_bytes = 0;
  };
  struct Zeros {
    std::byte* at = nullptr;
    int64_t size_bytes = 0;
  };
  Copy own = {};
  std::vector<Zeros> zeros = {};

  // Copies and zeros what needs no network, then begins the messages.
  void begin(Communicator& ranks);
};

// Of the node that begins it: its first operand and its result, where they lie. Borrows their memory. Throws
// InternalError when the node is for another number of ranks than there are.
RankExchange bind_exchange(const Node& begins, const Tensor& from, const Tensor& to, const Communicator& ranks);

}  // namespace headroom
