// What rewrites of a graph share (passes/).
#pragma once

#include <unordered_map>
#include <utility>
#include <vector>

#include "headroom/graph/builder.h"

namespace headroom {

// Values that take the place of others.
class Replacements {
 public:
  void put(ValueId old, ValueId now) { now_[old] = now; }
  bool has(ValueId old) const { return now_.contains(old); }
  // What stands for `id` now: itself, where nothing was put in its place.
  ValueId of(ValueId id) const {
    const auto found = now_.find(id);
    return found == now_.end() ? id : found->second;
  }
  // In all of `ids`: a node's operands, a graph's results.
  void apply(std::vector<ValueId>& ids) const {
    for (ValueId& id : ids) id = of(id);
  }

 private:
  std::unordered_map<ValueId, ValueId> now_;
};

// Takes the nodes out of the builder's graph and calls visit(Node&&) for each in order, with the builder in the node's
// segment and phase. What `visit` builds, and what it puts back with push_back, is the graph's new list of nodes.
template <class Visit>
void rebuild_nodes(Builder& build, Visit visit) {
  std::vector<Node> nodes = std::move(build.graph().nodes);
  build.graph().nodes.clear();
  for (Node& node : nodes) {
    build.set_segment(node.segment);
    build.set_phase(node.phase);
    visit(std::move(node));
  }
}

// Removes the marked nodes (by index).
void erase_nodes(Graph& graph, const std::vector<bool>& marked);

}  // namespace headroom
