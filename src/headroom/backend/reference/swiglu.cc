// SwiGLU and its backward (ops/swiglu.h).
#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

static float sigmoid(float g) { return 1.0f / (1.0f + exp(-g)); }

// y = (g*s) * up.
void swiglu(const Invocation& call) {
  with_elements(call.inputs[0], [&]<class Element>(const Element* gate) {
    const Element* up = call.inputs[1].as<const Element>();
    Element* y = call.outputs[0].as<Element>();
    for (int64_t i = 0; i < call.inputs[0].elements(); ++i) {
      const float g = load_one(gate + i);
      store_one(y + i, (g * sigmoid(g)) * load_one(up + i));
    }
  });
}

// dup = dy * (g*s), dgate = (dy*up) * (s * (g*(1-s) + 1)). Inputs are read before outputs are written: they may share.
void swiglu_backward(const Invocation& call) {
  with_elements(call.inputs[0], [&]<class Element>(const Element* gate) {
    const Element* up = call.inputs[1].as<const Element>();
    for (int64_t i = 0; i < call.inputs[0].elements(); ++i) {
      const float dy = load_one(call.inputs[2].as<const Element>() + i);
      const float g = load_one(gate + i);
      const float s = sigmoid(g);
      const float dgate = (dy * load_one(up + i)) * (s * std::fma(g, 1.0f - s, 1.0f));
      const float dup = dy * (g * s);
      store_one(call.outputs[0].as<Element>() + i, dgate);
      store_one(call.outputs[1].as<Element>() + i, dup);
    }
  });
}

}  // namespace headroom::reference

HEADROOM_KERNEL(swiglu);
HEADROOM_KERNEL(swiglu_backward);
