// Who will run a graph, as far as a plan of it depends on that: the scratch of the kernels.
#pragma once

#include <cstdint>
#include <string_view>

#include "headroom/graph/attributes.h"

namespace headroom {

// What a planner asks of a backend (backend/backend.h).
class KernelTable {
 public:
  // Bytes of scratch that the op's kernel takes, exact; 0 where it has none. `threads` >= 1.
  virtual int64_t scratch_bytes(std::string_view op, const TypedNode& node, int threads) const = 0;

 protected:
  ~KernelTable() = default;
};

struct Processor {
  const KernelTable* kernels = nullptr;  // borrowed
  int threads = 1;
};

}  // namespace headroom
