// Rows written in place (ops/write_rows.h).
#include <cstring>

#include "headroom/backend/kernel.h"

namespace headroom::reference {

// rows[0 .. range[1]) go to target[range[0] ...).
void write_rows(const Invocation& call) {
  const int32_t* range = call.inputs[2].as<const int32_t>();
  const Tensor& rows = call.inputs[1];
  if (range[1] <= 0) return;
  const int64_t row_bytes = rows.type.bytes() / rows.dim(0);
  std::memcpy(call.outputs[0].data + range[0] * row_bytes, rows.data, static_cast<size_t>(range[1] * row_bytes));
}

}  // namespace headroom::reference

HEADROOM_KERNEL(write_rows);
