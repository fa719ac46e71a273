// The shape of a llama training step, sketched: what a real step asks of the planner, without the ops.
#pragma once

#include "headroom/graph/graph.h"

namespace headroom::testing {

struct LlamaSizes {
  int layers = 30;
  int64_t tokens = 4096;
  int64_t hidden = 4096;
  int64_t inner = 11008;
  int64_t vocabulary = 102400;
  bool updates_last = false;  // all gradients are kept to the end, as clipping by the global norm asks
};
Graph llama_step(const LlamaSizes& sizes);

}  // namespace headroom::testing
