// c = a + b (ops/add.h).
#include "headroom/backend/kernel.h"

namespace headroom::reference {

void add(const Invocation& call) {
  const float* a = call.inputs[0].as<const float>();
  const float* b = call.inputs[1].as<const float>();
  float* c = call.outputs[0].as<float>();
  for (int64_t i = 0; i < call.inputs[0].elements(); ++i) c[i] = a[i] + b[i];
}

}  // namespace headroom::reference

HEADROOM_KERNEL(add);
