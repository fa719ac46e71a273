#include "headroom/passes/mixed_precision.h"

#include <vector>

#include "headroom/base/errors.h"
#include "headroom/graph/op.h"

namespace headroom {

Graph mixed_precision(Graph graph, DType dtype) {
  for (Node& node : graph.nodes) {
    if (node.op->name() == "embedding") node.attributes.set("result", static_cast<int64_t>(dtype));
    std::vector<Type> inputs;
    for (const ValueId input : node.inputs) inputs.push_back(graph.value(input).type);
    const std::vector<Type> types = node.op->output_types(inputs, node.attributes);
    ensure(types.size() == node.outputs.size(), "{} makes {} values, not {}", node.op->name(), types.size(),
           node.outputs.size());
    for (size_t i = 0; i < types.size(); ++i) graph.value(node.outputs[i]).type = types[i];
  }
  return graph;
}

}  // namespace headroom
