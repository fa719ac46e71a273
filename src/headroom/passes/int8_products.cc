#include "headroom/passes/int8_products.h"

#include "headroom/base/grouped_format.h"
#include "headroom/graph/rewrite.h"
#include "headroom/ops/matmul_int8.h"

namespace headroom {
namespace {

bool is_product_of_layer(const Graph& graph, const Node& node) {
  return node.op->name() == "matmul" && node.segment.is_layer() && node.inputs.size() == 2 &&
         node.attributes.integer("transpose_a") == 0 && node.attributes.integer("transpose_b") == 1 &&
         as_grouped(graph.value(node.inputs[1]).type.dtype) != nullptr;
}

}  // namespace

Graph int8_products(Graph graph) {
  Builder build(graph);
  Replacements rounded;
  rebuild_nodes(build, [&](Node&& node) {
    rounded.apply(node.inputs);
    if (is_product_of_layer(graph, node)) {
      rounded.put(node.outputs[0], matmul_int8(build, node.inputs[0], node.inputs[1]));
    } else {
      graph.nodes.push_back(std::move(node));
    }
  });
  rounded.apply(graph.results);
  return graph;
}

}  // namespace headroom
