// A weight put into a grouped format (ops/encode.h).
#include "headroom/backend/encode_rows.h"

namespace headroom::reference {

void encode(const Invocation& call) { encode_rows(call); }

int64_t encode_scratch(const TypedNode& node, int threads) { return encode_rows_scratch(node, threads); }

}  // namespace headroom::reference

HEADROOM_KERNEL(encode, encode_scratch);
