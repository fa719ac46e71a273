#include "headroom/passes/insert_lora.h"

#include <string>
#include <unordered_map>

#include "headroom/base/errors.h"
#include "headroom/ops/random_key.h"

namespace headroom {
namespace {

void redirect(std::vector<ValueId>& ids, const std::unordered_map<ValueId, ValueId>& moved) {
  for (ValueId& id : ids) {
    const auto found = moved.find(id);
    if (found != moved.end()) id = found->second;
  }
}

}  // namespace

Graph insert_lora(Graph graph, const std::vector<LoraLayer>& layers, double rate) {
  std::unordered_map<std::string_view, const LoraLayer*> by_weight;
  for (const LoraLayer& layer : layers) by_weight.emplace(layer.weight, &layer);
  std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  Builder build(graph);
  LoraDropout dropout{.rate = rate};
  if (rate > 0) {
    dropout.random_key = random_key(build);
    dropout.rows = graph.find("loss_range");
    ensure(dropout.rows != kNoValue, "insert_lora: the graph has no loss_range, so no rows of a batch to drop out");
  }
  std::unordered_map<ValueId, ValueId> moved;  // an output without its adapter -> with it
  size_t inserted = 0;
  for (Node& node : nodes) {
    redirect(node.inputs, moved);
    graph.nodes.push_back(node);
    if (node.op->name() != "matmul" || node.inputs.size() != 2) continue;
    const auto found = by_weight.find(graph.value(node.inputs[1]).name);
    if (found == by_weight.end()) continue;
    build.set_scope(node.scope);
    moved[node.outputs[0]] = add_lora(build, node.inputs[0], node.outputs[0], *found->second, dropout);
    ++inserted;
  }
  ensure(inserted == layers.size(), "insert_lora: {} of {} layers are in the graph", inserted, layers.size());
  redirect(graph.results, moved);
  return graph;
}

}  // namespace headroom
