// Rows written in place (ops/write_rows.h). Threads split the rows.
#include <algorithm>

#include "headroom/backend/kernel.h"
#include "headroom/base/convert.h"

namespace headroom::HEADROOM_ISA {

void write_rows(const Invocation& call) {
  const Tensor& target = call.outputs[0];
  const Tensor& rows = call.inputs[1];
  const Tensor& ranges = call.inputs[2];
  const int64_t width = rows.elements() == 0 ? 0 : rows.elements() / rows.dim(0);
  const auto row_of = [&](const Tensor& tensor, int64_t row) {
    return tensor.data + row * width * size_of(tensor.type.dtype);
  };
  int64_t next = 0;
  for (int64_t i = 0; i < ranges.elements(); i += 2) {
    const int64_t first = ranges.as<const int32_t>()[i];
    const int64_t count = std::max<int64_t>(ranges.as<const int32_t>()[i + 1], 0);
    call.threads.split(count, 1, [&](int64_t begin, int64_t end, int) {
      convert_elements(rows.type.dtype, row_of(rows, next + begin), target.type.dtype, row_of(target, first + begin),
                       (end - begin) * width);
    });
    next += count;
  }
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(write_rows);
