// Rows written in place (ops/write_rows.h). Threads split the rows.
#include <algorithm>
#include <cstring>

#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

void write_rows(const Invocation& call) {
  const Tensor& rows = call.inputs[1];
  const Tensor& ranges = call.inputs[2];
  const int64_t row_bytes = rows.elements() == 0 ? 0 : rows.type.bytes() / rows.dim(0);
  const std::byte* next = rows.data;
  for (int64_t i = 0; i < ranges.elements(); i += 2) {
    const int64_t count = std::max<int64_t>(ranges.as<const int32_t>()[i + 1], 0);
    const std::byte* source = next;
    std::byte* target = call.outputs[0].data + ranges.as<const int32_t>()[i] * row_bytes;
    call.threads.split(count, 1, [&](int64_t begin, int64_t end, int) {
      std::memcpy(target + begin * row_bytes, source + begin * row_bytes,
                  static_cast<size_t>((end - begin) * row_bytes));
    });
    next += count * row_bytes;
  }
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(write_rows);
