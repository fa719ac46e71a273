// Rows and blocks of files put as kernels read them (ops/arrange.h): memory alone says how fast.
#include "headroom/backend/arrange_rows.h"

namespace headroom::HEADROOM_ISA {

void arrange(const Invocation& call) { arrange_rows(call); }

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(arrange);
