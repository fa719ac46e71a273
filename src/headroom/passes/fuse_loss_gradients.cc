#include "headroom/passes/fuse_loss_gradients.h"

#include "headroom/base/errors.h"
#include "headroom/graph/op.h"
#include "headroom/graph/rewrite.h"

namespace headroom {

Graph fuse_loss_gradients(Graph graph) {
  const Op* fused = find_op("linear_cross_entropy_with_gradients");
  ensure(fused != nullptr, "fuse_loss_gradients: the op is missing");
  const Uses uses(graph);
  std::vector<bool> is_replaced(graph.nodes.size(), false);
  for (Node& forward : graph.nodes) {
    if (forward.op->name() != "linear_cross_entropy") continue;
    const std::span<const int32_t> readers = uses.readers(forward.outputs[1]);
    if (readers.size() != 1) continue;
    const size_t place = static_cast<size_t>(readers.front());
    const Node& backward = graph.nodes[place];
    if (backward.op->name() != "linear_cross_entropy_backward") continue;
    // What the backward reads and the forward does not, the gradient's scale and a sum to go on from, must be there
    // already.
    bool is_early = true;
    for (size_t input = 4; input < backward.inputs.size(); ++input) {
      is_early = is_early && uses.producer[static_cast<size_t>(backward.inputs[input])] < 0;
    }
    if (!is_early) continue;
    forward.op = fused;
    forward.inputs.insert(forward.inputs.end(), backward.inputs.begin() + 4, backward.inputs.end());
    const ValueId losses = forward.outputs[0];
    forward.outputs = backward.outputs;
    forward.outputs.push_back(losses);
    forward.attributes = backward.attributes;
    is_replaced[place] = true;
  }
  erase_nodes(graph, is_replaced);
  return without_dead_nodes(std::move(graph));
}

}  // namespace headroom
