// c = a + b (ops/add.h).
#include "headroom/backend/cpu/streams.h"

namespace headroom::HEADROOM_ISA {

void add(const Invocation& call) {
  with_elements(call.inputs[0], [&]<class Element>(const Element* a) {
    const Element* b = call.inputs[1].as<const Element>();
    split_output_elements<Element>(call, [&](int64_t begin, int64_t end, auto place) {
      const auto c = place(call.outputs[0]);
      for_each_group(begin, end, [=](int64_t i, auto n) { store(c + i, load(a + i, n) + load(b + i, n), n); });
    });
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(add);
