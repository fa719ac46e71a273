// c[M,N] = a[M,K] * b[K,N]: each element one chain of fused multiply-adds over k, ascending, from +0 or from the sum.
// Either factor may be stored transposed.
#include <cmath>

#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

void matmul(const Invocation& call) {
  const Tensor& a = call.inputs[0];
  const Tensor& c = call.outputs[0];
  const bool transpose_a = call.attributes.integer("transpose_a") != 0;
  const bool transpose_b = call.attributes.integer("transpose_b") != 0;
  const bool from_zero = call.inputs.size() == 2;
  const int64_t rows = c.dim(0);
  const int64_t columns = c.dim(1);
  const int64_t depth = a.dim(transpose_a ? 0 : 1);
  with_elements(call.inputs[1], [&](const auto* b) {
    call.threads.split(rows, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t m = begin; m < end; ++m) {
        for (int64_t n = 0; n < columns; ++n) {
          float sum = from_zero ? 0.0f : c.as<float>()[m * columns + n];
          for (int64_t k = 0; k < depth; ++k) {
            const float left = a.as<float>()[transpose_a ? k * rows + m : m * depth + k];
            const float right = load_one(b + (transpose_b ? n * depth + k : k * columns + n));
            sum = std::fma(left, right, sum);
          }
          c.as<float>()[m * columns + n] = sum;
        }
      }
    });
  });
}

}  // namespace headroom::reference

HEADROOM_KERNEL(matmul);
