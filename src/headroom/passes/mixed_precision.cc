#include "headroom/passes/mixed_precision.h"

#include <vector>

#include "headroom/base/errors.h"
#include "headroom/graph/operands.h"

namespace headroom {

Graph mixed_precision(Graph graph, DType dtype) {
  OperandTypes types;
  for (Node& node : graph.nodes) {
    if (node.op->name() == "embedding") node.attributes.set("result", static_cast<int64_t>(dtype));
    const std::vector<Type> made = node.op->output_types(types.of(graph, node).inputs, node.attributes);
    ensure(made.size() == node.outputs.size(), "{} makes {} values, not {}", node.op->name(), made.size(),
           node.outputs.size());
    for (size_t i = 0; i < made.size(); ++i) graph.value(node.outputs[i]).type = made[i];
  }
  return graph;
}

}  // namespace headroom
