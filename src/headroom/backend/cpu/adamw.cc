// AdamW (ops/adamw.h), in place.
#include "headroom/backend/cpu/weight_update.h"
#include "headroom/backend/update_panel.h"

namespace headroom::HEADROOM_ISA {

void adamw(const Invocation& call) {
  const float scale = gradient_scale_of(call, 5);
  if (scale != scale) return;
  float* mean = panel_of<float>(call, call.outputs[1]);
  float* square = panel_of<float>(call, call.outputs[2]);
  const float* gradient = panel_of<const float>(call, call.inputs[3]);
  const float* scalars = call.inputs[4].as<const float>();
  const F32x16 gradient_scale(scale);
  const F32x16 beta2(static_cast<float>(call.attributes.real("beta2")));
  const F32x16 one_minus_beta1(static_cast<float>(1.0 - call.attributes.real("beta1")));
  const F32x16 one_minus_beta2(static_cast<float>(1.0 - call.attributes.real("beta2")));
  const F32x16 eps(static_cast<float>(call.attributes.real("eps")));
  const F32x16 weight_decay(static_cast<float>(call.attributes.real("weight_decay")));
  const F32x16 decay = fma(F32x16(-scalars[0]), weight_decay, F32x16(1.0f));
  const F32x16 minus_rate(-scalars[1]);
  const F32x16 correction(scalars[2]);
  update_weight(call, [&](int64_t i, auto n, F32x16 weight) {
    const F32x16 g = load(gradient + i, n) * gradient_scale;
    const F32x16 old_mean = load(mean + i, n);
    const F32x16 m = fma(g - old_mean, one_minus_beta1, old_mean);
    const F32x16 v = fma(one_minus_beta2 * g, g, beta2 * load(square + i, n));
    store(mean + i, m, n);
    store(square + i, v, n);
    return fma(minus_rate, m / (sqrt(v) / correction + eps), weight * decay);
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(adamw);
