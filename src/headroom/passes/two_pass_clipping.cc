#include "headroom/passes/two_pass_clipping.h"

#include <algorithm>
#include <utility>

#include "headroom/base/errors.h"
#include "headroom/graph/builder.h"
#include "headroom/ops/clip_scale.h"

namespace headroom {
namespace {

// The node that makes "gradient_norm" and the factor.
Node& clip_node(Graph& graph) {
  const auto found = std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return node.op->name() == "clip_scale" && graph.value(node.outputs[0]).name == "gradient_norm";
  });
  ensure(found != graph.nodes.end() && found->attributes.real("max_norm") > 0,
         "graph {}: two passes need a common clipping factor", graph.name);
  return *found;
}

ValueId clip_scale_input(Builder& build, ValueId made) {
  return build.input("clip_scale", build.type(made), Role::input);
}

}  // namespace

Graph keep_only_norm(Graph step) {
  Node& clip = clip_node(step);
  step.name = "norm";
  step.carries.clear();
  step.results = {clip.outputs[0]};
  Builder build(step);
  const ValueId kept = clip_scale_input(build, clip.outputs[1]);
  keep_scale(clip, kept);
  build.carry(kept, clip.outputs[1]);
  return without_dead_nodes(std::move(step));
}

Graph take_clip_scale(Graph step) {
  const std::vector<ValueId> made = clip_node(step).outputs;
  Builder build(step);
  const ValueId given = clip_scale_input(build, made[1]);
  for (Node& node : step.nodes) std::replace(node.inputs.begin(), node.inputs.end(), made[1], given);
  std::erase(step.results, made[0]);
  return without_dead_nodes(std::move(step));
}

void add_norm_pass(Job& job, Graph norm) {
  const size_t at = job.graphs.size() - 1;
  job.insert_graph(at, std::move(norm));
  std::vector<Row>& rows = job.schedule("update").rows;
  Row& step = rows[0];
  Row first = {.graph = static_cast<int32_t>(at), .fills = std::exchange(step.fills, {}), .reads = {"gradient_norm"}};
  std::erase(step.reads, "gradient_norm");
  rows.insert(rows.begin(), std::move(first));
}

}  // namespace headroom
