// c[M,N] = a[M,K] * b[K,N]: each element one chain (product_chain.h), from +0 or from the sum. Either factor may be
// stored transposed. Where c has 16 bits it is rounded once, at the end.
#include "headroom/backend/matmul_blocks.h"
#include "headroom/backend/reference/product_chain.h"

namespace headroom::reference {

void matmul(const Invocation& call) {
  const Tensor& c = call.outputs[0];
  const bool transpose_a = call.attributes.integer("transpose_a") != 0;
  const bool transpose_b = call.attributes.integer("transpose_b") != 0;
  const bool from_zero = call.inputs.size() == 2;
  const int64_t rows = c.dim(0);
  const int64_t columns = c.dim(1);
  const int64_t depth = call.inputs[0].dim(transpose_a ? 0 : 1);
  with_elements(call.inputs[0], [&]<class Left>(const Left* a) {
    with_weights(call.inputs[1], [&](auto b) {
      with_elements(c, [&]<class Result>(const Result*) {
        call.threads.split(rows, 1, [&](int64_t begin, int64_t end, int) {
          for (int64_t m = begin; m < end; ++m) {
            for (int64_t n = 0; n < columns; ++n) {
              float sum = from_zero ? 0.0f : load_one(c.as<const Result>() + m * columns + n);
              for_each_term<Left>(depth, [&](int64_t k) {
                const float left = k < 0 ? 0.0f : load_one(a + (transpose_a ? k * rows + m : m * depth + k));
                const float right = k < 0 ? 0.0f : load_one(b + (transpose_b ? n * depth + k : k * columns + n));
                sum = add_product<Left>(left, load_for<Left>(right), sum);
              });
              store_one(c.as<Result>() + m * columns + n, sum);
            }
          }
        });
      });
    });
  });
}

int64_t matmul_scratch(const TypedNode& node, int threads) {
  const Type& c = node.outputs[0];
  const int64_t rounded = c.dtype == DType::f32 ? 0 : rounded_product_bytes(c.shape[0], c.shape[1]);
  return product_scratch_bytes(threads) + threads * rounded + decoded_scratch_bytes(node.inputs[1].dtype, threads);
}

}  // namespace headroom::reference

HEADROOM_KERNEL(matmul, matmul_scratch);
