// What --watch-numerics adds to metrics.jsonl: shares of unusual numbers by layer.
#pragma once

#include <string>

#include "headroom/runtime/executor.h"

namespace headroom {

// Of the results of passes/watch_numerics.h in the graph that `step` has run, an object of a JSON line:
//   {"layers.0": {"activations": {"nan": 0, "inf": 0, "underflow": 0.01, "zero": 0.2}, "gradients": {...}}, ...}
// underflow: subnormal in the value's format, among what is not zero. Empty where the graph has none.
std::string describe_numerics(const Executor& step);

}  // namespace headroom
