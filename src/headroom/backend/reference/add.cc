// c = a + b (ops/add.h).
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

void add(const Invocation& call) {
  with_elements(call.inputs[0], [&]<class Element>(const Element* a) {
    const Element* b = call.inputs[1].as<const Element>();
    Element* c = call.outputs[0].as<Element>();
    for (int64_t i = 0; i < call.inputs[0].elements(); ++i) store_one(c + i, load_one(a + i) + load_one(b + i));
  });
}

}  // namespace headroom::reference

HEADROOM_KERNEL(add);
