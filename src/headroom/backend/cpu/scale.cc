// y = x * factor (ops/scale.h).
#include "headroom/backend/cpu/streams.h"

namespace headroom::HEADROOM_ISA {

void scale(const Invocation& call) {
  const float* x = call.inputs[0].as<const float>();
  const F32x16 factor(static_cast<float>(call.attributes.real("factor")));
  with_elements(call.outputs[0], [&]<class Element>(const Element*) {
    split_output_elements<Element>(call, [&](int64_t begin, int64_t end, auto place) {
      const auto y = place(call.outputs[0]);
      for_each_group(begin, end, [=](int64_t i, auto n) { store(y + i, load(x + i, n) * factor, n); });
    });
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(scale);
