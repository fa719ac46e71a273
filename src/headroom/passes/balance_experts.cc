#include "headroom/passes/balance_experts.h"

#include <vector>

#include "headroom/base/errors.h"
#include "headroom/graph/name_table.h"
#include "headroom/graph/rewrite.h"
#include "headroom/ops/add.h"
#include "headroom/ops/balance_losses.h"

namespace headroom {

ValueId balance_experts(Graph& graph, ValueId losses, double alpha) {
  const ValueId sequences = NameTable(graph).find("sequences");
  ensure(sequences != kNoValue, "balance_experts: the graph has no sequences");
  Builder build(graph);
  std::vector<ValueId> added;
  rebuild_nodes(build, [&](Node&& node) {
    graph.nodes.push_back(node);
    if (node.op->name() != "route") return;
    const auto scoring = static_cast<Scoring>(node.attributes.integer("scoring"));
    added.push_back(balance_losses(build, node.inputs[0], node.outputs[0], sequences, scoring, alpha));
  });
  if (added.empty()) {
    throw InvalidInput(
        "--balance-loss {}: the model has no experts to choose among; expected 0, or a mixture of experts", alpha);
  }
  build.set_segment({"loss"});
  for (const ValueId one : added) losses = add(build, losses, one);
  return losses;
}

}  // namespace headroom
