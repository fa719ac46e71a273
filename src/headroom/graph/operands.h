// The types of a node's operands, which is how an Op sees a node.
#pragma once

#include <vector>

#include "headroom/graph/op.h"

namespace headroom {

// Gathers them into buffers that are used again for the next node.
class OperandTypes {
 public:
  // Valid until the next call, and as long as `node` is.
  TypedNode of(const Graph& graph, const Node& node) {
    inputs_.clear();
    outputs_.clear();
    for (const ValueId id : node.inputs) inputs_.push_back(graph.value(id).type);
    for (const ValueId id : node.outputs) outputs_.push_back(graph.value(id).type);
    return {inputs_, outputs_, node.attributes};
  }

 private:
  std::vector<Type> inputs_;
  std::vector<Type> outputs_;
};

}  // namespace headroom
