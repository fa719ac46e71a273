// `--compute int8`: the products of a model's layers with weights in grouped formats are made in whole numbers
// (ops/matmul_int8.h). Trades the rounding of their other factor to 8 bits for time; lossy, so asked for. The output
// layer stays as it is: in generation and evaluation alike its logits are of f32. Excludes gradients.
#pragma once

#include "headroom/graph/graph.h"

namespace headroom {

Graph int8_products(Graph graph);

}  // namespace headroom
