// AdamW (ops/adamw.h), in place. A skipped step leaves everything.
#include "headroom/backend/reference/weight_update.h"
#include "headroom/backend/update_panel.h"

namespace headroom::reference {

void adamw(const Invocation& call) {
  const float gradient_scale = gradient_scale_of(call, 5);
  if (gradient_scale != gradient_scale) return;
  float* m = panel_of<float>(call, call.outputs[1]);
  float* v = panel_of<float>(call, call.outputs[2]);
  const float* gradient = panel_of<const float>(call, call.inputs[3]);
  const float* scalars = call.inputs[4].as<const float>();
  const float beta2 = static_cast<float>(call.attributes.real("beta2"));
  const float one_minus_beta1 = static_cast<float>(1.0 - call.attributes.real("beta1"));
  const float one_minus_beta2 = static_cast<float>(1.0 - call.attributes.real("beta2"));
  const float eps = static_cast<float>(call.attributes.real("eps"));
  const float weight_decay = static_cast<float>(call.attributes.real("weight_decay"));
  const float decay = std::fma(-scalars[0], weight_decay, 1.0f);
  update_weight(call, [&](int64_t i, float w) {
    const float g = gradient[i] * gradient_scale;
    m[i] = std::fma(g - m[i], one_minus_beta1, m[i]);
    v[i] = std::fma(one_minus_beta2 * g, g, beta2 * v[i]);
    return std::fma(-scalars[1], m[i] / (std::sqrt(v[i]) / scalars[2] + eps), w * decay);
  });
}

}  // namespace headroom::reference

HEADROOM_KERNEL(adamw);
