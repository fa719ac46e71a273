#include "headroom/graph/name_table.h"

#include <functional>

namespace headroom {

NameTable::NameTable(const Graph& graph) : graph_(graph) {
  size_t slots = 64;
  while (slots < 3 * graph.values.size()) slots *= 2;
  slots_.assign(slots, kNoValue);
  for (size_t id = 0; id < graph.values.size(); ++id) add(static_cast<ValueId>(id));
}

ValueId NameTable::find(std::string_view name) const { return slots_[slot_of(name)]; }

void NameTable::add(ValueId id) {
  if (2 * (used_ + 1) > slots_.size()) grow();
  slots_[slot_of(graph_.value(id).name)] = id;
  ++used_;
}

// Where the value of that name is, or would be.
size_t NameTable::slot_of(std::string_view name) const {
  size_t slot = std::hash<std::string_view>()(name);
  for (;; ++slot) {
    slot &= slots_.size() - 1;
    if (slots_[slot] == kNoValue || graph_.value(slots_[slot]).name == name) return slot;
  }
}

void NameTable::grow() {
  std::vector<ValueId> before(2 * slots_.size(), kNoValue);
  before.swap(slots_);
  for (const ValueId id : before) {
    if (id != kNoValue) slots_[slot_of(graph_.value(id).name)] = id;
  }
}

}  // namespace headroom
