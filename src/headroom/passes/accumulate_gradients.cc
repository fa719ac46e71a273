#include "headroom/passes/accumulate_gradients.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/ops/zero.h"
#include "headroom/passes/differentiate.h"

namespace headroom {
namespace {

// The nodes whose sums make up `gradient`: its producer, or where uses are added, the producers of the parts. Each such
// add then happens in the storage of its first part.
void collect_uses(Graph& graph, const Uses& uses, ValueId gradient, std::vector<int32_t>& found) {
  const int32_t index = uses.producer[static_cast<size_t>(gradient)];
  ensure(index >= 0, "the gradient '{}' is made by no node", graph.value(gradient).name);
  Node& node = graph.nodes[static_cast<size_t>(index)];
  if (node.op->continues_sum()) {
    found.push_back(index);
    return;
  }
  ensure(node.op->name() == "add", "{} makes the gradient '{}' but cannot continue a sum", node.op->name(),
         graph.value(gradient).name);
  node.attributes.set("in_place", int64_t{1});
  for (const ValueId part : node.inputs) collect_uses(graph, uses, part, found);
}

// What `value` was before others were added to it in its storage.
ValueId first_part(const Graph& graph, const Uses& uses, ValueId value) {
  for (;;) {
    const Node& node = graph.nodes[static_cast<size_t>(uses.producer[static_cast<size_t>(value)])];
    if (!node.attributes.has("in_place")) return value;
    value = node.inputs[0];
  }
}

bool is_sum(const Graph& graph, const Carry& carry) { return graph.value(carry.input).role == Role::gradient; }

}  // namespace

Graph accumulate_gradients(Graph graph) {
  const Uses uses(graph);
  Builder build(graph);
  for (const TrainedWeight& one : trained_weights(graph)) {
    const std::string name = graph.value(one.weight).name;
    std::vector<int32_t> found;
    collect_uses(graph, uses, one.gradient, found);
    for (size_t use = 0; use < found.size(); ++use) {
      const std::string sum_name = use == 0 ? name + ".gradient_sum" : fmt::format("{}.gradient_sum.{}", name, use);
      const ValueId part = graph.nodes[static_cast<size_t>(found[use])].outputs.front();
      const ValueId sum = build.input(sum_name, graph.value(part).type, Role::gradient);
      graph.nodes[static_cast<size_t>(found[use])].inputs.push_back(sum);
      build.carry(sum, use == 0 ? one.gradient : part);
    }
  }
  return graph;
}

Graph keep_only_sums(Graph graph) {
  const Uses uses(graph);
  for (Carry& carry : graph.carries) {
    if (is_sum(graph, carry)) carry.next = first_part(graph, uses, carry.next);
  }
  graph.results.clear();
  return without_dead_nodes(std::move(graph));
}

Graph zero_gradient_sums(const Graph& accumulating) {
  Graph graph{.name = "zero_gradients", .values = {}, .inputs = {}, .nodes = {}, .carries = {}, .results = {}};
  Builder build(graph);
  build.set_phase(Phase::update);
  for (const Carry& carry : accumulating.carries) {
    if (!is_sum(accumulating, carry)) continue;
    const Value& sum = accumulating.value(carry.input);
    const ValueId input = build.input(sum.name, sum.type, Role::gradient);
    build.carry(input, zero(build, input));
  }
  return graph;
}

void add_micro_batches(Job& job, Graph micro, int64_t count) {
  const size_t first = job.graphs.size() - 1;
  Graph zero = zero_gradient_sums(job.graphs.back());
  micro.name = "micro";
  job.insert_graph(first, std::move(micro));
  job.insert_graph(first, std::move(zero));
  std::vector<Row>& rows = job.schedule("update").rows;
  const auto zero_at = static_cast<int32_t>(first);
  rows.insert(rows.begin(), {{.graph = zero_at}, {.graph = zero_at + 1, .times = count - 1, .fills = rows[0].fills}});
}

}  // namespace headroom
