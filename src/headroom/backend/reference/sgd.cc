// SGD (ops/sgd.h), in place.
#include "headroom/backend/kernel.h"
#include "headroom/backend/panel.h"
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

void sgd(const Invocation& call) {
  float* w = panel_of<float>(call, call.outputs[0]);
  const float* gradient = panel_of<const float>(call, call.inputs[1]);
  const float rate = call.inputs[2].as<const float>()[0];
  const float gradient_scale = call.inputs.size() == 4 ? *call.inputs[3].as<const float>() : 1.0f;
  const int64_t elements = panel_elements(call, call.inputs[0].elements());
  for (int64_t i = 0; i < elements; ++i) w[i] = std::fma(-rate, gradient[i] * gradient_scale, w[i]);
}

}  // namespace headroom::reference

HEADROOM_KERNEL(sgd);
