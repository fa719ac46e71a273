// Reverse-mode differentiation: forward graph -> forward + backward. Each op brings its own rule (Op::gradient).
// What the backward reads is then visible as ordinary lifetimes, which other passes rewrite.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "headroom/graph/graph.h"

namespace headroom {

// Appends the backward of `loss` to the graph. `seed` is the graph input that stands for the gradient of the loss.
// The gradient of each trained weight that the loss depends on is named gradient_name(weight), has the role gradient
// and is a result, until somebody uses it up. Where a value fans out, its gradients are added in reverse order of use.
// For weights that are not (graph/binding.h), and for what only they flow into, nothing is computed and nothing kept.
// Throws InternalError when an op on the way has no gradient.
Graph differentiate(Graph graph, ValueId loss, ValueId seed);

std::string gradient_name(std::string_view weight);

struct TrainedWeight {
  ValueId weight = kNoValue;    // a graph input
  ValueId gradient = kNoValue;  // the value of that name: the last step of making it
};
// Of a differentiated graph, in the order of its inputs.
std::vector<TrainedWeight> trained_weights(const Graph& graph);

}  // namespace headroom
