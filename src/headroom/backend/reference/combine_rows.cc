// What becomes of the rows of experts (ops/expert_rows.h).
#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

void combine_rows(const Invocation& call) {
  const Tensor& places = call.inputs[1];
  const int64_t chosen = places.dim(1), features = call.inputs[0].dim(1);
  const float* weights = call.inputs.size() > 2 ? call.inputs[2].as<const float>() : nullptr;
  with_elements(call.inputs[0], [&]<class Element>(const Element* y) {
    for (int64_t t = 0; t < places.dim(0); ++t) {
      for (int64_t f = 0; f < features; ++f) {
        float sum = 0;
        for (int64_t pair = t * chosen; pair < (t + 1) * chosen; ++pair) {
          const float one = load_one(y + places.as<const int32_t>()[pair] * features + f);
          sum = weights == nullptr ? sum + one : std::fma(weights[pair], one, sum);
        }
        store_one(call.outputs[0].as<Element>() + t * features + f, sum);
      }
    }
  });
}

void combine_rows_backward(const Invocation& call) {
  const Tensor& places = call.inputs[1];
  const int64_t chosen = places.dim(1), features = call.inputs[0].dim(1);
  with_elements(call.inputs[0], [&]<class Element>(const Element* y) {
    for (int64_t pair = 0; pair < places.elements(); ++pair) {
      const int64_t row = places.as<const int32_t>()[pair] * features;
      const Element* dout = call.inputs[3].as<const Element>() + pair / chosen * features;
      call.outputs[1].as<float>()[pair] = sum_16_lanes(
          features, [&](int64_t f, float lane) { return std::fma(load_one(dout + f), load_one(y + row + f), lane); });
      const float weight = call.inputs[2].as<const float>()[pair];
      for (int64_t f = 0; f < features; ++f) {
        store_one(call.outputs[0].as<Element>() + row + f, weight * load_one(dout + f));
      }
    }
  });
}

}  // namespace headroom::reference

HEADROOM_KERNEL(combine_rows);
HEADROOM_KERNEL(combine_rows_backward);
