// SwiGLU and its backward (ops/swiglu.h).
#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

static float sigmoid(float g) { return 1.0f / (1.0f + exp(-g)); }

// y = (g*s) * up.
void swiglu(const Invocation& call) {
  const float* gate = call.inputs[0].as<const float>();
  const float* up = call.inputs[1].as<const float>();
  float* y = call.outputs[0].as<float>();
  for (int64_t i = 0; i < call.inputs[0].elements(); ++i) y[i] = (gate[i] * sigmoid(gate[i])) * up[i];
}

// dup = dy * (g*s), dgate = (dy*up) * (s * (g*(1-s) + 1)). Inputs are read before outputs are written: they may share.
void swiglu_backward(const Invocation& call) {
  const float* gate = call.inputs[0].as<const float>();
  const float* up = call.inputs[1].as<const float>();
  const float* dy = call.inputs[2].as<const float>();
  for (int64_t i = 0; i < call.inputs[0].elements(); ++i) {
    const float g = gate[i];
    const float s = sigmoid(g);
    const float dgate = (dy[i] * up[i]) * (s * std::fma(g, 1.0f - s, 1.0f));
    const float dup = dy[i] * (g * s);
    call.outputs[0].as<float>()[i] = dgate;
    call.outputs[1].as<float>()[i] = dup;
  }
}

}  // namespace headroom::reference

HEADROOM_KERNEL(swiglu);
HEADROOM_KERNEL(swiglu_backward);
