// Parts of a matrix copied side by side (ops/join_columns.h).
#include <cstring>

#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

void join_columns(const Invocation& call) {
  float* to = call.outputs[0].as<float>();
  for (int64_t row = 0; row < call.outputs[0].dim(0); ++row) {
    for (const Tensor& part : call.inputs) {
      const int64_t columns = part.dim(1);
      std::memcpy(to, part.as<const float>() + row * columns, static_cast<size_t>(columns) * sizeof(float));
      to += columns;
    }
  }
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(join_columns);
