#include "headroom/passes/fuse_embedding_gradient.h"

#include "headroom/graph/op.h"

namespace headroom {
namespace {

bool is_fresh_embedding_gradient(const Graph& graph, const Uses& uses, ValueId value) {
  const int32_t index = uses.producer[static_cast<size_t>(value)];
  if (index < 0 || uses.readers(value).size() != 1) return false;
  const Node& node = graph.nodes[static_cast<size_t>(index)];
  return node.op->name() == "embedding_backward" && node.inputs.size() == 2;
}

}  // namespace

Graph fuse_embedding_gradient(Graph graph) {
  const Uses uses(graph);
  for (Node& node : graph.nodes) {
    if (node.op->name() != "add") continue;
    for (const size_t part : {size_t{0}, size_t{1}}) {
      const ValueId embedding = node.inputs[part];
      const ValueId other = node.inputs[1 - part];
      if (embedding == other || !is_fresh_embedding_gradient(graph, uses, embedding)) continue;
      if (uses.producer[static_cast<size_t>(other)] < 0 || uses.readers(other).size() != 1) continue;
      const Node& source = graph.nodes[static_cast<size_t>(uses.producer[static_cast<size_t>(embedding)])];
      node.op = source.op;
      node.attributes = source.attributes;
      node.attributes.set("add", int64_t{1});
      node.inputs = {source.inputs[0], source.inputs[1], other};
      break;
    }
  }
  return without_dead_nodes(std::move(graph));
}

}  // namespace headroom
