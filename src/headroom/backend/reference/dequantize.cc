// Weights out of block formats (ops/dequantize.h): the definition is the format's.
#include "headroom/backend/kernel.h"
#include "headroom/base/block_format.h"

namespace headroom::reference {

void dequantize(const Invocation& call) {
  const Tensor& weight = call.inputs[0];
  block_format(weight.type.dtype)
      .decode(weight.type.shape, weight.data, 0, weight.elements(), call.outputs[0].as<float>());
}

}  // namespace headroom::reference

HEADROOM_KERNEL(dequantize);
