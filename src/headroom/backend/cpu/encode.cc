// A weight put into a grouped format (ops/encode.h).
#include "headroom/backend/encode_rows.h"

namespace headroom::HEADROOM_ISA {

void encode(const Invocation& call) { encode_rows(call); }

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(encode);
