// Rows and blocks of files put as kernels read them (ops/arrange.h).
#include "headroom/backend/arrange_rows.h"

namespace headroom::reference {

void arrange(const Invocation& call) { arrange_rows(call); }

int64_t arrange_scratch(const TypedNode& node, int threads) { return arrange_rows_scratch(node, threads); }

}  // namespace headroom::reference

HEADROOM_KERNEL(arrange, arrange_scratch);
