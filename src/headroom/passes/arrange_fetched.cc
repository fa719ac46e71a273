#include "headroom/passes/arrange_fetched.h"

#include "headroom/graph/op.h"
#include "headroom/graph/rewrite.h"
#include "headroom/ops/arrange.h"

namespace headroom {

Graph arrange_fetched(Graph graph, const std::unordered_map<std::string, FileArrangement>& arrangements) {
  if (arrangements.empty()) return graph;
  Builder build(graph);
  Replacements arranged;
  std::unordered_map<ValueId, const FileArrangement*> raw;  // in the file, and on its way
  for (const ValueId id : graph.inputs) {
    Value& value = graph.value(id);
    const auto found = arrangements.find(value.name);
    if (value.tier != Tier::model || found == arrangements.end()) continue;
    raw.emplace(id, &found->second);
    value.type.dtype = found->second.dtype;
  }
  rebuild_nodes(build, [&](Node&& node) {
    arranged.apply(node.inputs);
    const auto found = node.op->away() == Tier::model ? raw.find(node.inputs[0]) : raw.end();
    if (found == raw.end()) return graph.nodes.push_back(std::move(node));
    const FileArrangement& arrangement = *found->second;
    const ValueId output = node.outputs[0];
    const bool has_come = node.op->course() == Course::wait;
    graph.value(output).type.dtype = arrangement.dtype;
    graph.nodes.push_back(std::move(node));
    if (has_come) {
      arranged.put(output, arrange(build, output, arrangement.head_rows));
    } else {
      raw.emplace(output, &arrangement);
    }
  });
  return graph;
}

}  // namespace headroom
