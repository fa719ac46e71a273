// When a storage is touched: what offload decides on, for its plan and for its rewrite.
#pragma once

#include <cstdint>
#include <vector>

#include "headroom/graph/graph.h"

namespace headroom {

// Nodes that touch a storage, close together: it stays in memory from the first to the last.
struct Visit {
  int32_t first = 0;
  int32_t last = 0;
  bool by_panels = false;  // one update that needs no more than a panel at a time
};

// A storage, named after the value that came first (storage_roots).
struct Storage {
  ValueId root = kNoValue;
  bool is_input = false;
  bool is_result = false;
  std::vector<Visit> visits;
};

// The storages that nodes of `graph` touch, by root.
std::vector<Storage> find_storages(const Graph& graph);

// Whether the node is an update that can be done by panels, and `operand` one of the tensors that it has panels of.
bool has_panels_of(const Graph& graph, const Node& node, ValueId operand);

}  // namespace headroom
