// Rows written in place (ops/write_rows.h).
#include <algorithm>
#include <cstring>

#include "headroom/backend/kernel.h"

namespace headroom::reference {

// The next `count` rows go to target[first ...), range after range.
void write_rows(const Invocation& call) {
  const Tensor& rows = call.inputs[1];
  const Tensor& ranges = call.inputs[2];
  const int64_t row_bytes = rows.elements() == 0 ? 0 : rows.type.bytes() / rows.dim(0);
  const std::byte* row = rows.data;
  for (int64_t i = 0; i < ranges.elements(); i += 2) {
    const int64_t first = ranges.as<const int32_t>()[i];
    const int64_t count = std::max<int64_t>(ranges.as<const int32_t>()[i + 1], 0);
    std::memcpy(call.outputs[0].data + first * row_bytes, row, static_cast<size_t>(count * row_bytes));
    row += count * row_bytes;
  }
}

}  // namespace headroom::reference

HEADROOM_KERNEL(write_rows);
