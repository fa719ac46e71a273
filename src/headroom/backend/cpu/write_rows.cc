// Rows written in place (ops/write_rows.h). Threads split the rows.
#include <cstring>

#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

void write_rows(const Invocation& call) {
  const int32_t* range = call.inputs[2].as<const int32_t>();
  const Tensor& rows = call.inputs[1];
  if (range[1] <= 0) return;
  const int64_t row_bytes = rows.type.bytes() / rows.dim(0);
  std::byte* target = call.outputs[0].data + range[0] * row_bytes;
  call.threads.split(range[1], 1, [&](int64_t begin, int64_t end, int) {
    std::memcpy(target + begin * row_bytes, rows.data + begin * row_bytes,
                static_cast<size_t>((end - begin) * row_bytes));
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(write_rows);
