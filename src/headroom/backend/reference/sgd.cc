// SGD (ops/sgd.h), in place.
#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

void sgd(const Invocation& call) {
  float* w = call.outputs[0].as<float>();
  const float* gradient = call.inputs[1].as<const float>();
  const float rate = call.inputs[2].as<const float>()[0];
  const float gradient_scale = call.inputs.size() == 4 ? *call.inputs[3].as<const float>() : 1.0f;
  for (int64_t i = 0; i < call.inputs[0].elements(); ++i) w[i] = std::fma(-rate, gradient[i] * gradient_scale, w[i]);
}

}  // namespace headroom::reference

HEADROOM_KERNEL(sgd);
