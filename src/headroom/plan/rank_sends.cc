#include "headroom/plan/rank_sends.h"

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/base/shape.h"
#include "headroom/graph/op.h"
#include "headroom/graph/rank_attributes.h"

namespace headroom {
namespace {

int64_t sent_by_gather_node(const Graph& graph, const Node& node, int64_t rank) {
  const Type& whole = graph.value(node.outputs[0]).type;
  const RankParts parts = rank_parts_of(node.attributes, whole.shape.elements());
  return multiply_sizes(parts.ranks - 1, parts.held(rank) * size_of(whole.dtype), "the bytes of a gather");
}

int64_t sent_by_scatter_node(const Graph& graph, const Node& node, int64_t rank) {
  const Type& whole = graph.value(node.inputs[0]).type;
  const RankParts parts = rank_parts_of(node.attributes, whole.shape.elements());
  const int64_t first = node.attributes.integer("first");
  const int64_t panel = node.attributes.integer("elements");
  int64_t elements = 0;
  for (int64_t peer = 0; peer < parts.ranks; ++peer) {
    if (peer != rank) elements += std::clamp<int64_t>(parts.held(peer) - first, 0, panel);
  }
  return elements * size_of(whole.dtype);
}

// In one run.
RankSends sends_of(const Graph& graph, int64_t rank) {
  RankSends sends;
  for (const Node& node : graph.nodes) {
    if (node.op->course() != Course::begin) continue;
    if (node.op->transfer() == Transfer::gather) sends.gather_bytes += sent_by_gather_node(graph, node, rank);
    if (node.op->transfer() == Transfer::scatter) sends.scatter_bytes += sent_by_scatter_node(graph, node, rank);
  }
  return sends;
}

}  // namespace

RankSends sends_of(const std::vector<Graph>& graphs, const Schedule& schedule, int64_t rank) {
  const std::vector<int64_t> runs = runs_of(schedule, graphs.size());
  RankSends sum;
  const auto add = [&](int64_t& to, int64_t bytes, int64_t times) {
    to = add_sizes(to, multiply_sizes(bytes, times, schedule.name), schedule.name);
  };
  for (size_t graph = 0; graph < graphs.size(); ++graph) {
    const RankSends once = sends_of(graphs[graph], rank);
    add(sum.gather_bytes, once.gather_bytes, runs[graph]);
    add(sum.scatter_bytes, once.scatter_bytes, runs[graph]);
  }
  return sum;
}

}  // namespace headroom
