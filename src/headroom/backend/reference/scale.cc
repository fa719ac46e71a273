// y = x * factor (ops/scale.h).
#include "headroom/backend/kernel.h"

namespace headroom::reference {

void scale(const Invocation& call) {
  const float factor = static_cast<float>(call.attributes.real("factor"));
  for (int64_t i = 0; i < call.outputs[0].elements(); ++i) {
    call.outputs[0].as<float>()[i] = call.inputs[0].as<const float>()[i] * factor;
  }
}

}  // namespace headroom::reference

HEADROOM_KERNEL(scale);
