#include "headroom/passes/updates_in_backward.h"

#include <algorithm>
#include <vector>

#include "headroom/graph/operands.h"

namespace headroom {
namespace {

// The values whose storage the node overwrites.
std::vector<ValueId> overwritten(const Graph& graph, const Node& node) {
  std::vector<ValueId> values;
  for (const StoragePair& pair : node.op->in_place(OperandTypes().of(graph, node))) {
    values.push_back(node.inputs[static_cast<size_t>(pair.input)]);
  }
  return values;
}

}  // namespace

Graph updates_in_backward(Graph graph) {
  const Uses uses(graph);
  // The node of the step itself (not of the update phase) that each node comes right after; -1: before all.
  std::vector<int32_t> after(graph.nodes.size());
  std::vector<std::vector<size_t>> followers(graph.nodes.size() + 1);
  for (size_t index = 0; index < graph.nodes.size(); ++index) {
    const Node& node = graph.nodes[index];
    after[index] = static_cast<int32_t>(index);
    if (node.phase != Phase::update) continue;
    int32_t slot = -1;
    for (const ValueId input : node.inputs) {
      const int32_t producer = uses.producer[static_cast<size_t>(input)];
      if (producer >= 0) slot = std::max(slot, after[static_cast<size_t>(producer)]);
    }
    for (const ValueId value : overwritten(graph, node)) {
      for (const int32_t reader : uses.readers(value)) {
        if (reader < static_cast<int32_t>(index)) slot = std::max(slot, after[static_cast<size_t>(reader)]);
      }
    }
    after[index] = slot;
    followers[static_cast<size_t>(slot + 1)].push_back(index);
  }
  std::vector<Node> nodes;
  nodes.reserve(graph.nodes.size());
  for (const size_t first : followers[0]) nodes.push_back(std::move(graph.nodes[first]));
  for (size_t index = 0; index < after.size(); ++index) {
    if (graph.nodes[index].phase != Phase::update) nodes.push_back(std::move(graph.nodes[index]));
    for (const size_t follower : followers[index + 1]) nodes.push_back(std::move(graph.nodes[follower]));
  }
  graph.nodes = std::move(nodes);
  return graph;
}

}  // namespace headroom
