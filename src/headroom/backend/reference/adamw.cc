// AdamW (ops/adamw.h), in place.
#include "headroom/backend/kernel.h"
#include "headroom/backend/panel.h"
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

void adamw(const Invocation& call) {
  float* w = panel_of<float>(call, call.outputs[0]);
  float* m = panel_of<float>(call, call.outputs[1]);
  float* v = panel_of<float>(call, call.outputs[2]);
  const float* gradient = panel_of<const float>(call, call.inputs[3]);
  const float* scalars = call.inputs[4].as<const float>();
  const float gradient_scale = call.inputs.size() == 6 ? *call.inputs[5].as<const float>() : 1.0f;
  const float beta2 = static_cast<float>(call.attributes.real("beta2"));
  const float one_minus_beta1 = static_cast<float>(1.0 - call.attributes.real("beta1"));
  const float one_minus_beta2 = static_cast<float>(1.0 - call.attributes.real("beta2"));
  const float eps = static_cast<float>(call.attributes.real("eps"));
  const float weight_decay = static_cast<float>(call.attributes.real("weight_decay"));
  const float decay = std::fma(-scalars[0], weight_decay, 1.0f);
  const int64_t elements = panel_elements(call, call.inputs[0].elements());
  for (int64_t i = 0; i < elements; ++i) {
    const float g = gradient[i] * gradient_scale;
    m[i] = std::fma(g - m[i], one_minus_beta1, m[i]);
    v[i] = std::fma(one_minus_beta2 * g, g, beta2 * v[i]);
    w[i] = std::fma(-scalars[1], m[i] / (std::sqrt(v[i]) / scalars[2] + eps), w[i] * decay);
  }
}

}  // namespace headroom::reference

HEADROOM_KERNEL(adamw);
