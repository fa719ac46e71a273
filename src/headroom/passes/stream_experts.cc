#include "headroom/passes/stream_experts.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "headroom/graph/rewrite.h"
#include "headroom/ops/fetch_experts.h"

namespace headroom {
namespace {

// A layer's experts: the stacks whose matrices rows of one grouping are multiplied with, in the order of the products.
struct ExpertLayer {
  std::vector<ValueId> stacks;
  ExpertRows rows;
};

bool is_product_of(const Graph& graph, const Node& node, const std::unordered_set<std::string>& stacks) {
  if (node.op->name() != "expert_matmul" || node.attributes.integer("transpose") == 0) return false;
  const Value& stack = graph.value(node.inputs[4]);
  return stack.role == Role::weight && stacks.contains(stack.name);
}

// By the value that says where each expert's rows begin.
std::unordered_map<ValueId, ExpertLayer> layers_of(const Graph& graph, const std::unordered_set<std::string>& stacks) {
  std::unordered_map<ValueId, ExpertLayer> layers;
  for (const Node& node : graph.nodes) {
    if (!is_product_of(graph, node, stacks)) continue;
    ExpertLayer& layer = layers[node.inputs[3]];
    layer.stacks.push_back(node.inputs[4]);
    layer.rows = {node.inputs[1], node.inputs[2], node.inputs[3]};
  }
  return layers;
}

ExpertRecord record_of_layer(const Graph& graph, const ExpertLayer& layer) {
  std::vector<Type> types;
  for (const ValueId stack : layer.stacks) types.push_back(graph.value(stack).type);
  return record_of(types);
}

}  // namespace

StreamedExperts find_streamed_experts(const Graph& graph, const std::unordered_set<std::string>& stacks) {
  StreamedExperts found;
  for (const auto& [begins, layer] : layers_of(graph, stacks)) {
    const int64_t experts = graph.value(layer.stacks.front()).type.shape[0];
    const int64_t record_bytes = record_of_layer(graph, layer).bytes;
    if (found.layers > 0 && (experts != found.experts || record_bytes != found.record_bytes)) return {};
    const int64_t most = std::min(experts, graph.value(layer.rows.order).type.shape[0]);
    found = {found.layers + 1, experts, record_bytes, std::max(found.most, most)};
  }
  return found;
}

Graph stream_experts(Graph graph, const std::unordered_set<std::string>& stacks, int64_t slots) {
  const StreamedExperts streamed = find_streamed_experts(graph, stacks);
  if (streamed.layers == 0) return graph;
  const std::unordered_map<ValueId, ExpertLayer> layers = layers_of(graph, stacks);
  Builder build(graph);
  const ValueId first = build.input(kExpertSlots, {DType::u8, {slots, streamed.record_bytes}}, Role::weight);
  const double share = std::min(1.0, static_cast<double>(slots) / static_cast<double>(streamed.all()));
  FetchedExperts now = {first, kNoValue};
  bool arrives = false;
  Replacements made;
  rebuild_nodes(build, [&](Node&& node) {
    made.apply(node.inputs);
    if (is_product_of(graph, node, stacks)) {
      const ExpertLayer& layer = layers.at(node.inputs[3]);
      if (arrives) now = fetched_experts(build, now);
      arrives = false;
      const auto place = std::find(layer.stacks.begin(), layer.stacks.end(), node.inputs[4]) - layer.stacks.begin();
      const ExpertMatrix matrix = record_of_layer(graph, layer).matrices[static_cast<size_t>(place)];
      const bool of_tokens = node.attributes.integer("of_tokens") != 0;
      const ValueId product = slot_matmul(build, node.inputs[0], layer.rows, now, matrix, of_tokens);
      return made.put(node.outputs[0], product);
    }
    const bool groups = node.op->name() == "group_rows" && layers.contains(node.outputs[2]);
    const ValueId begins = groups ? node.outputs[2] : kNoValue;
    graph.nodes.push_back(std::move(node));
    if (!groups) return;
    const ExpertLayer& layer = layers.at(begins);
    for (const ValueId stack : layer.stacks) graph.value(stack).tier = Tier::model;
    now = fetch_experts(build, now.slots, layer.stacks, layer.rows, share);
    arrives = true;
  });
  made.apply(graph.results);
  build.carry(first, now.slots);
  return graph;
}

}  // namespace headroom
