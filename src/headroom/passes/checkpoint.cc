#include "headroom/passes/checkpoint.h"

#include <algorithm>

#include "headroom/graph/op.h"
#include "headroom/graph/rewrite.h"

namespace headroom {
namespace {

class Recomputation {
 public:
  Recomputation(Graph graph, const std::vector<bool>& marked)
      : graph_(std::move(graph)), producer_(Uses(graph_).producer), roots_(storage_roots(graph_)), marked_(marked) {}

  Graph run() {
    const size_t count = graph_.nodes.size();
    for (size_t index = 0; index < count; ++index) {
      if (graph_.nodes[index].phase != Phase::forward) {
        for (const ValueId input : graph_.nodes[index].inputs) make_again(input);
        again_.apply(graph_.nodes[index].inputs);
      }
      nodes_.push_back(graph_.nodes[index]);
    }
    graph_.nodes = std::move(nodes_);
    return without_dead_nodes(std::move(graph_));
  }

 private:
  bool is_marked(int32_t index) const {
    if (index < 0 || !marked_[static_cast<size_t>(index)]) return false;
    const Node& node = graph_.nodes[static_cast<size_t>(index)];
    return node.phase == Phase::forward && std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
             return roots_[static_cast<size_t>(id)] == id;
           });
  }

  // Appends copies of the nodes that `value` is computed from, down to what is kept.
  void make_again(ValueId value) {
    if (static_cast<size_t>(value) >= producer_.size() || again_.has(value)) return;
    const int32_t index = producer_[static_cast<size_t>(value)];
    if (!is_marked(index)) return;
    Node copy = graph_.nodes[static_cast<size_t>(index)];
    for (const ValueId input : copy.inputs) make_again(input);
    again_.apply(copy.inputs);
    copy.phase = Phase::backward;
    for (ValueId& output : copy.outputs) {
      Value again = graph_.value(output);
      again.name += "/again";
      again_.put(output, static_cast<ValueId>(graph_.values.size()));
      output = again_.of(output);
      graph_.values.push_back(std::move(again));
    }
    nodes_.push_back(std::move(copy));
  }

  Graph graph_;
  const std::vector<int32_t> producer_;
  const std::vector<ValueId> roots_;
  const std::vector<bool>& marked_;
  std::vector<Node> nodes_;
  Replacements again_;
};

}  // namespace

Graph recompute(Graph graph, const std::vector<bool>& marked) { return Recomputation(std::move(graph), marked).run(); }

Graph checkpoint_layers(Graph graph) {
  const Uses uses(graph);
  std::vector<bool> inside(graph.nodes.size(), false);
  for (size_t index = 0; index < graph.nodes.size(); ++index) {
    const Node& node = graph.nodes[index];
    if (node.phase != Phase::forward || !node.segment.is_layer()) continue;
    inside[index] = std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId value) {
      const std::span<const int32_t> readers = uses.readers(value);
      return std::all_of(readers.begin(), readers.end(), [&](int32_t reader) {
        const Node& one = graph.nodes[static_cast<size_t>(reader)];
        return one.phase != Phase::forward || one.segment == node.segment;
      });
    });
  }
  return recompute(std::move(graph), inside);
}

}  // namespace headroom
