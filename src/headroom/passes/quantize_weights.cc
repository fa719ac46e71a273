#include "headroom/passes/quantize_weights.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "headroom/base/errors.h"

namespace headroom {

Graph quantize_weights(Graph graph, const std::vector<std::string>& names, int bits) {
  const std::unordered_set<std::string_view> wanted(names.begin(), names.end());
  std::vector<Node> nodes = std::move(graph.nodes);
  const std::vector<ValueId> inputs = std::move(graph.inputs);
  graph.nodes.clear();
  graph.inputs.clear();
  Builder build(graph);
  std::unordered_map<ValueId, QuantizedWeight> quantized;
  for (const ValueId id : inputs) {
    const Value value = graph.value(id);
    if (wanted.contains(value.name)) {
      quantized.emplace(id, declare_quantized(build, value.name, value.type.shape, bits));
    } else {
      graph.inputs.push_back(id);
    }
  }
  for (Node& node : nodes) {
    build.set_scope(node.scope);
    build.set_phase(node.phase);
    for (ValueId& input : node.inputs) {
      const auto found = quantized.find(input);
      if (found != quantized.end()) input = dequantize(build, found->second);
    }
    graph.nodes.push_back(std::move(node));
  }
  for (const Carry& carry : graph.carries) {
    ensure(!quantized.contains(carry.input), "quantize_weights: '{}' is trained", graph.value(carry.input).name);
  }
  return without_dead_nodes(std::move(graph));
}

}  // namespace headroom
