#include "headroom/passes/rows_from_host.h"

#include <unordered_set>

#include "headroom/graph/rewrite.h"
#include "headroom/ops/embedding.h"

namespace headroom {

Graph rows_from_host(Graph graph, const std::string& table, std::string_view prefix) {
  Builder build(graph);
  Replacements rows;
  std::unordered_set<ValueId> spared;  // what the host reads instead
  std::unordered_set<ValueId> read;
  rebuild_nodes(build, [&](Node&& node) {
    rows.apply(node.inputs);
    const bool picks = node.op->name() == "embedding" && graph.value(node.inputs[0]).name == table &&
                       graph.value(node.inputs[0]).role == Role::weight;
    if (picks) {
      const Type type = graph.value(node.outputs[0]).type;
      const std::string name = std::string(prefix).append(graph.value(node.inputs[1]).name).append(kRowsSuffix);
      rows.put(node.outputs[0], build.input(name, type, Role::input));
      spared.insert(node.inputs.begin(), node.inputs.end());
      return;
    }
    read.insert(node.inputs.begin(), node.inputs.end());
    graph.nodes.push_back(std::move(node));
  });
  rows.apply(graph.results);
  std::erase_if(graph.inputs, [&](ValueId id) { return spared.contains(id) && !read.contains(id); });
  return graph;
}

}  // namespace headroom
