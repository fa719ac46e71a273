#include "headroom/passes/checkpoint.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "headroom/graph/builder.h"

namespace headroom {
namespace {

struct Segment {
  size_t begin = 0;
  size_t end = 0;
  bool contains(int32_t node) const { return node >= static_cast<int32_t>(begin) && node < static_cast<int32_t>(end); }
};

std::vector<Segment> layer_segments(const Graph& graph) {
  std::vector<Segment> segments;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.phase != Phase::forward || !node.scope.starts_with("layers.")) continue;
    if (segments.empty() || segments.back().end != i || graph.nodes[i - 1].scope != node.scope)
      segments.push_back({i, i});
    segments.back().end = i + 1;
  }
  return segments;
}

class Rewrite {
 public:
  explicit Rewrite(Graph graph) : graph_(std::move(graph)), uses_(graph_), inserted_(graph_.nodes.size()) {}

  void recompute(const Segment& segment) {
    std::vector<ValueId> wanted;
    int32_t first_reader = static_cast<int32_t>(graph_.nodes.size());
    for (size_t index = segment.begin; index < segment.end; ++index) {
      for (const ValueId value : graph_.nodes[index].outputs) {
        if (!is_inside(segment, value)) continue;
        for (const int32_t reader : uses_.readers[static_cast<size_t>(value)]) {
          if (segment.contains(reader)) continue;
          first_reader = std::min(first_reader, reader);
          wanted.push_back(value);
          break;
        }
      }
    }
    if (wanted.empty()) return;
    std::vector<bool> needed(segment.end - segment.begin, false);
    for (const ValueId value : wanted) need(segment, value, needed);
    for (size_t index = segment.begin; index < segment.end; ++index) {
      if (needed[index - segment.begin])
        inserted_[static_cast<size_t>(first_reader)].push_back(copy_of(segment, index));
    }
  }

  Graph finish() {
    std::vector<Node> nodes;
    for (size_t index = 0; index < inserted_.size(); ++index) {
      for (Node& node : inserted_[index]) nodes.push_back(std::move(node));
      Node& node = graph_.nodes[index];
      if (node.phase != Phase::forward) redirect(node);
      nodes.push_back(std::move(node));
    }
    graph_.nodes = std::move(nodes);
    return without_dead_nodes(std::move(graph_));
  }

 private:
  // Whether only the segment itself and the backward read `value`. What a later forward node reads is the segment's
  // output and is kept.
  bool is_inside(const Segment& segment, ValueId value) const {
    const auto& readers = uses_.readers[static_cast<size_t>(value)];
    return std::all_of(readers.begin(), readers.end(), [&](int32_t reader) {
      return segment.contains(reader) || graph_.nodes[static_cast<size_t>(reader)].phase != Phase::forward;
    });
  }

  // Marks the nodes of the segment that `value` is computed from, down to values that are kept.
  void need(const Segment& segment, ValueId value, std::vector<bool>& needed) const {
    const int32_t index = uses_.producer[static_cast<size_t>(value)];
    if (!segment.contains(index) || !is_inside(segment, value)) return;
    const size_t at = static_cast<size_t>(index) - segment.begin;
    if (needed[at]) return;
    needed[at] = true;
    for (const ValueId input : graph_.nodes[static_cast<size_t>(index)].inputs) need(segment, input, needed);
  }

  Node copy_of(const Segment& segment, size_t index) {
    Node copy = graph_.nodes[index];
    copy.phase = Phase::backward;
    redirect(copy);
    for (ValueId& output : copy.outputs) {
      const ValueId original = output;
      Value again = graph_.value(original);
      again.name += "/again";
      output = static_cast<ValueId>(graph_.values.size());
      graph_.values.push_back(std::move(again));
      if (is_inside(segment, original)) again_[original] = output;
    }
    return copy;
  }

  void redirect(Node& node) const {
    for (ValueId& input : node.inputs) {
      const auto found = again_.find(input);
      if (found != again_.end()) input = found->second;
    }
  }

  Graph graph_;
  const Uses uses_;
  std::vector<std::vector<Node>> inserted_;  // before each node
  std::unordered_map<ValueId, ValueId> again_;
};

}  // namespace

Graph checkpoint_layers(Graph graph) {
  const std::vector<Segment> segments = layer_segments(graph);
  Rewrite rewrite(std::move(graph));
  for (const Segment& segment : segments) rewrite.recompute(segment);
  return rewrite.finish();
}

}  // namespace headroom
