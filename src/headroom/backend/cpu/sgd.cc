// SGD (ops/sgd.h), in place.
#include "headroom/backend/cpu/weight_update.h"
#include "headroom/backend/update_panel.h"

namespace headroom::HEADROOM_ISA {

void sgd(const Invocation& call) {
  const float scale = gradient_scale_of(call, 3);
  if (scale != scale) return;
  const float* gradient = panel_of<const float>(call, call.inputs[1]);
  const F32x16 minus_rate(-call.inputs[2].as<const float>()[0]);
  const F32x16 gradient_scale(scale);
  update_weight(call, [=](int64_t i, auto n, F32x16 weight) {
    return fma(minus_rate, load(gradient + i, n) * gradient_scale, weight);
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(sgd);
