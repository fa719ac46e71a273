// What arrange (ops/arrange.h) does, for kernels of every instruction set: moves of bytes, none of which computes.
#pragma once

#include "headroom/backend/kernel.h"

namespace headroom {

void arrange_rows(const Invocation& call);
// For each thread a row, of blocks that become groups a panel of them.
int64_t arrange_rows_scratch(const TypedNode& node, int threads);

}  // namespace headroom
