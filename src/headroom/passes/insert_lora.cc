#include "headroom/passes/insert_lora.h"

#include <string>
#include <unordered_map>

#include "headroom/base/errors.h"
#include "headroom/graph/binding.h"
#include "headroom/graph/rewrite.h"
#include "headroom/ops/random_key.h"

namespace headroom {
Graph insert_lora(Graph graph, const std::vector<LoraLayer>& layers, double rate) {
  std::unordered_map<std::string_view, const LoraLayer*> by_weight;
  for (const LoraLayer& layer : layers) by_weight.emplace(layer.weight, &layer);
  for (const ValueId id : graph.inputs) {
    if (graph.value(id).role == Role::weight) rebind(graph.value(id), [](Binding& base) { base.is_trained = false; });
  }
  Builder build(graph);
  LoraDropout dropout{.rate = rate};
  if (rate > 0) {
    dropout.random_key = random_key(build);
    dropout.rows = graph.find("loss_range");
    ensure(dropout.rows != kNoValue, "insert_lora: the graph has no loss_range, so no rows of a batch to drop out");
  }
  Replacements adapted;  // of an output without its adapter: the one with it
  size_t inserted = 0;
  rebuild_nodes(build, [&](Node&& node) {
    adapted.apply(node.inputs);
    graph.nodes.push_back(node);
    if (node.op->name() != "matmul" || node.inputs.size() != 2) return;
    const auto found = by_weight.find(graph.value(node.inputs[1]).name);
    if (found == by_weight.end()) return;
    adapted.put(node.outputs[0], add_lora(build, node.inputs[0], node.outputs[0], *found->second, dropout));
    ++inserted;
  });
  ensure(inserted == layers.size(), "insert_lora: {} of {} layers are in the graph", inserted, layers.size());
  adapted.apply(graph.results);
  return graph;
}

}  // namespace headroom
