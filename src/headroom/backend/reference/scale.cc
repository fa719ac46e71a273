// y = x * factor (ops/scale.h).
#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

void scale(const Invocation& call) {
  const float factor = static_cast<float>(call.attributes.real("factor"));
  with_elements(call.outputs[0], [&]<class Element>(const Element*) {
    for (int64_t i = 0; i < call.outputs[0].elements(); ++i) {
      store_one(call.outputs[0].as<Element>() + i, call.inputs[0].as<const float>()[i] * factor);
    }
  });
}

}  // namespace headroom::reference

HEADROOM_KERNEL(scale);
