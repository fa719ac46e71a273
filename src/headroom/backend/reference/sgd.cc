// SGD (ops/sgd.h), in place. A skipped step leaves everything.
#include "headroom/backend/reference/weight_update.h"
#include "headroom/backend/update_panel.h"

namespace headroom::reference {

void sgd(const Invocation& call) {
  const float gradient_scale = gradient_scale_of(call, 3);
  if (gradient_scale != gradient_scale) return;
  const float* gradient = panel_of<const float>(call, call.inputs[1]);
  const float rate = call.inputs[2].as<const float>()[0];
  update_weight(call, [&](int64_t i, float w) { return std::fma(-rate, gradient[i] * gradient_scale, w); });
}

}  // namespace headroom::reference

HEADROOM_KERNEL(sgd);
