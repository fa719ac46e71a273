// SGD (ops/sgd.h), in place.
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"
#include "headroom/backend/panel.h"

namespace headroom::HEADROOM_ISA {

void sgd(const Invocation& call) {
  float* weight = panel_of<float>(call, call.outputs[0]);
  const float* gradient = panel_of<const float>(call, call.inputs[1]);
  const F32x16 minus_rate(-call.inputs[2].as<const float>()[0]);
  const F32x16 gradient_scale(call.inputs.size() == 4 ? *call.inputs[3].as<const float>() : 1.0f);
  split_elements(call.threads, panel_elements(call, call.inputs[0].elements()), [=](int64_t i, auto n) {
    store(weight + i, fma(minus_rate, load(gradient + i, n) * gradient_scale, load(weight + i, n)), n);
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(sgd);
