// Finds the values of a graph by their names while it grows: open addressing over ids, eight bytes a value or so and no
// copies of names, since passes build one for each graph that they change.
#pragma once

#include <string_view>
#include <vector>

#include "headroom/graph/graph.h"

namespace headroom {

class NameTable {
 public:
  // Of the values that are there. Borrows the graph.
  explicit NameTable(const Graph& graph);

  // kNoValue where there is none.
  ValueId find(std::string_view name) const;
  // A value that was appended to the graph.
  void add(ValueId id);

 private:
  size_t slot_of(std::string_view name) const;
  void grow();

  const Graph& graph_;
  std::vector<ValueId> slots_;  // a power of two, at least half of them free
  size_t used_ = 0;
};

}  // namespace headroom
