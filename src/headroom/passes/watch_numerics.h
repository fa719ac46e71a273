// Counts NaN, infinities, subnormals and zeros among the activations and gradients of each segment (a layer, the head),
// where they are made. Changes no other value; costs a read of each, and 40 bytes a segment and direction.
#pragma once

#include <string>
#include <string_view>

#include "headroom/graph/graph.h"

namespace headroom {

// Adds the results numerics_name(segment, phase) f64[5] (ops/count_numerics.h), over the matrices that the segment's
// nodes of that phase make: activations in the forward, gradients in the backward. Run on a differentiated graph.
Graph watch_numerics(Graph graph);

// "numerics.SCOPE.forward" or ".backward".
std::string numerics_name(std::string_view segment, Phase phase);

}  // namespace headroom
