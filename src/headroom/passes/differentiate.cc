#include "headroom/passes/differentiate.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/graph/binding.h"
#include "headroom/ops/add.h"

namespace headroom {
namespace {

// The values that a trained weight flows into; only these have gradients.
std::vector<bool> values_below_weights(const Graph& graph) {
  std::vector<bool> below(graph.values.size(), false);
  for (const ValueId id : graph.inputs) {
    below[static_cast<size_t>(id)] = is_trained(graph.value(id));
  }
  for (const Node& node : graph.nodes) {
    const bool any =
        std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return below[static_cast<size_t>(id)]; });
    for (const ValueId output : node.outputs) below[static_cast<size_t>(output)] = any;
  }
  return below;
}

}  // namespace

std::string gradient_name(std::string_view weight) { return fmt::format("{}.gradient", weight); }

std::vector<TrainedWeight> trained_weights(const Graph& graph) {
  std::vector<TrainedWeight> trained;
  const NameTable names(graph);
  for (const ValueId id : graph.inputs) {
    if (graph.value(id).role != Role::weight) continue;
    const ValueId gradient = names.find(gradient_name(graph.value(id).name));
    if (gradient != kNoValue) trained.push_back({id, gradient});
  }
  return trained;
}

Graph differentiate(Graph graph, ValueId loss, ValueId seed) {
  const std::vector<bool> wanted = values_below_weights(graph);
  const size_t forward_nodes = graph.nodes.size();
  std::vector<ValueId> gradients(graph.values.size(), kNoValue);
  gradients[static_cast<size_t>(loss)] = seed;
  Builder build(graph);
  build.set_phase(Phase::backward);
  build.want_gradients(wanted);
  for (size_t index = forward_nodes; index-- > 0;) {
    const Node node = graph.nodes[index];  // a copy: the rule appends to graph.nodes
    const auto is_wanted = [&](ValueId id) { return wanted[static_cast<size_t>(id)]; };
    if (std::none_of(node.inputs.begin(), node.inputs.end(), is_wanted)) continue;
    std::vector<ValueId> of_outputs;
    for (const ValueId output : node.outputs) of_outputs.push_back(gradients[static_cast<size_t>(output)]);
    if (std::all_of(of_outputs.begin(), of_outputs.end(), [](ValueId id) { return id == kNoValue; })) continue;
    build.set_segment(node.segment);
    const std::vector<ValueId> of_inputs = node.op->gradient(build, node, of_outputs);
    ensure(of_inputs.size() == node.inputs.size(), "{} has {} operands, its rule gives {} gradients", node.op->name(),
           node.inputs.size(), of_inputs.size());
    for (size_t i = 0; i < of_inputs.size(); ++i) {
      const size_t input = static_cast<size_t>(node.inputs[i]);
      if (of_inputs[i] == kNoValue || !wanted[input]) continue;
      ValueId& gradient = gradients[input];
      gradient = gradient == kNoValue ? of_inputs[i] : add(build, gradient, of_inputs[i]);
    }
  }
  for (const ValueId id : graph.inputs) {
    const ValueId gradient = gradients[static_cast<size_t>(id)];
    if (graph.value(id).role != Role::weight || gradient == kNoValue) continue;
    graph.value(gradient).name = gradient_name(graph.value(id).name);
    graph.value(gradient).role = Role::gradient;
    graph.results.push_back(gradient);
  }
  return graph;
}

}  // namespace headroom
