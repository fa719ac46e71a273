// Parts of a matrix copied side by side (ops/join_columns.h).
#include <cstring>

#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

void join_columns(const Invocation& call) {
  const Tensor& all = call.outputs[0];
  call.threads.split(all.dim(0), 1, [&](int64_t begin, int64_t end, int) {
    float* to = all.as<float>() + begin * all.dim(1);
    for (int64_t row = begin; row < end; ++row) {
      for (const Tensor& part : call.inputs) {
        const int64_t columns = part.dim(1);
        std::memcpy(to, part.as<const float>() + row * columns, static_cast<size_t>(columns) * sizeof(float));
        to += columns;
      }
    }
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(join_columns);
