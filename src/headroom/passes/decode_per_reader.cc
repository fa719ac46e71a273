#include "headroom/passes/decode_per_reader.h"

#include <unordered_set>

#include "headroom/base/errors.h"
#include "headroom/graph/rewrite.h"
#include "headroom/ops/dequantize.h"

namespace headroom {

Graph decode_per_reader(Graph graph) {
  Builder build(graph);
  Replacements weights;              // of one out of a block format: as it is kept
  std::unordered_set<ValueId> read;  // the first reader has the node that was there
  rebuild_nodes(build, [&](Node&& node) {
    if (node.op->name() == "dequantize") weights.put(node.outputs[0], node.inputs[0]);
    for (ValueId& input : node.inputs) {
      if (weights.has(input) && !read.insert(input).second) input = dequantize(build, weights.of(input));
    }
    graph.nodes.push_back(std::move(node));
  });
  for (const ValueId id : graph.results) {
    ensure(!weights.has(id), "decode_per_reader: '{}' is a result", graph.value(id).name);
  }
  return graph;
}

}  // namespace headroom
