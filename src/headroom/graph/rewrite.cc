#include "headroom/graph/rewrite.h"

#include <algorithm>

namespace headroom {

void erase_nodes(Graph& graph, const std::vector<bool>& marked) {
  size_t index = 0;
  std::erase_if(graph.nodes, [&](const Node&) { return marked[index++]; });
}

}  // namespace headroom
