// Which forward nodes of a differentiated graph to run again in the backward instead of keeping what they made, from
// exact bytes and prices. A layer (the nodes of a segment `layers.N`) is a block of a chain (plan/recompute_chain.h);
// its options are the ways to keep or recompute each of its large values, priced by playing its backward. So what is
// cheap and large (norms, products of gates, positions) goes first, products next, and borders between layers last.
#pragma once

#include <vector>

#include "headroom/graph/graph.h"
#include "headroom/graph/processor.h"
#include "headroom/plan/recompute_chain.h"

namespace headroom {

class RecomputeChoice {
 public:
  // `graph` is borrowed. Prices are those of typical rates and scratch is that of one thread: the choice is the same on
  // every machine.
  RecomputeChoice(const Graph& graph, const KernelTable& kernels);

  // The nodes to run again for a peak of the chain that lies `depth` of the way from where nothing is computed again
  // (0) to the smallest there is (1).
  std::vector<bool> nodes_for(double depth) const;

  const Chain& chain() const { return chain_; }

 private:
  struct Block {
    size_t begin = 0;  // nodes
    size_t end = 0;
    std::vector<std::vector<int32_t>> options;  // of each option of the chain's block: the nodes that run again
    std::vector<int32_t> all;                   // nodes that may run again
  };
  Chain chain_;
  std::vector<Block> blocks_;
  size_t nodes_ = 0;
};

}  // namespace headroom
