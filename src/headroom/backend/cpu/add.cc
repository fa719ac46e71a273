// c = a + b (ops/add.h).
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

void add(const Invocation& call) {
  const float* a = call.inputs[0].as<const float>();
  const float* b = call.inputs[1].as<const float>();
  float* c = call.outputs[0].as<float>();
  split_elements(call.threads, call.inputs[0].elements(),
                 [=](int64_t i, int64_t n) { store(c + i, load(a + i, n) + load(b + i, n), n); });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(add);
