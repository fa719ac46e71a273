// A bias and its gradient (ops/add_bias.h). T rows, F features.
#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

// y = x + b.
void add_bias(const Invocation& call) {
  const int64_t features = call.inputs[0].dim(1);
  with_elements(call.inputs[0], [&]<class Element>(const Element* x) {
    with_elements(call.inputs[1], [&](auto* bias) {
      Element* y = call.outputs[0].as<Element>();
      for (int64_t i = 0; i < call.inputs[0].elements(); ++i) {
        store_one(y + i, load_one(x + i) + load_one(bias + i % features));
      }
    });
  });
}

// db[f] = one chain of additions over the rows, from +0 or from the last input.
void bias_gradient(const Invocation& call) {
  const int64_t features = call.inputs[0].dim(1);
  float* db = call.outputs[0].as<float>();
  with_elements(call.inputs[0], [&](auto* dy) {
    for (int64_t f = 0; f < features; ++f) {
      float chain = call.inputs.size() == 2 ? db[f] : 0.0f;
      for (int64_t t = 0; t < call.inputs[0].dim(0); ++t) chain = chain + load_one(dy + t * features + f);
      db[f] = chain;
    }
  });
}

}  // namespace headroom::reference

HEADROOM_KERNEL(add_bias);
HEADROOM_KERNEL(bias_gradient);
