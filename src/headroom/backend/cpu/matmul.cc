// matmul: the blocked product of matmul_product.h.
#include "headroom/backend/cpu/matmul_product.h"

namespace headroom::HEADROOM_ISA {

void matmul(const Invocation& call) {
  const Tensor& a = call.inputs[0];
  const Tensor& b = call.inputs[1];
  const Tensor& c = call.outputs[0];
  const bool transpose_a = call.attributes.integer("transpose_a") != 0;
  const bool transpose_b = call.attributes.integer("transpose_b") != 0;
  multiply({.rows = c.dim(0),
            .columns = c.dim(1),
            .depth = a.dim(transpose_a ? 0 : 1),
            .a = factor_of(a, 0, transpose_a),
            .b = factor_of(b, 0, transpose_b),
            .c = c.data,
            .c_stride = c.dim(1),
            .from_zero = call.inputs.size() == 2,
            .c_dtype = c.type.dtype,
            .decoded = decoded_of(call)},
           call.threads, call.scratch.data());
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(matmul);
