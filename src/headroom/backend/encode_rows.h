// A weight put into a grouped format (ops/encode.h), panel by panel: memory and divisions alone say how fast, on any
// instruction set.
#pragma once

#include "headroom/backend/kernel.h"

namespace headroom {

void encode_rows(const Invocation& call);
int64_t encode_rows_scratch(const TypedNode& node, int threads);

}  // namespace headroom
