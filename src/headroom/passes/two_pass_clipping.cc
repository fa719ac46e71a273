#include "headroom/passes/two_pass_clipping.h"

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/graph/builder.h"

namespace headroom {
namespace {

// The node that makes "gradient_norm" and the factor.
const Node& clip_node(const Graph& graph) {
  const auto found = std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return node.op->name() == "clip_scale" && graph.value(node.outputs[0]).name == "gradient_norm";
  });
  ensure(found != graph.nodes.end() && found->attributes.real("max_norm") > 0,
         "graph {}: two passes need a common clipping factor", graph.name);
  return *found;
}

}  // namespace

Graph keep_only_norm(Graph step) {
  const Node& clip = clip_node(step);
  step.name = "norm";
  step.carries.clear();
  step.results = clip.outputs;
  step.value(clip.outputs[1]).name = "clip_scale";
  return without_dead_nodes(std::move(step));
}

Graph take_clip_scale(Graph step) {
  const std::vector<ValueId> made = clip_node(step).outputs;
  Builder build(step);
  const ValueId given = build.input("clip_scale", step.value(made[1]).type, Role::input);
  for (Node& node : step.nodes) std::replace(node.inputs.begin(), node.inputs.end(), made[1], given);
  std::erase(step.results, made[0]);
  return without_dead_nodes(std::move(step));
}

}  // namespace headroom
