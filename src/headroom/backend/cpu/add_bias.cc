// A bias and its gradient (ops/add_bias.h). Threads split the rows, for the gradient the features, so that every chain
// over the rows stays whole. T rows, F features.
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

void add_bias(const Invocation& call) {
  const int64_t features = call.inputs[0].dim(1);
  with_elements(call.inputs[1], [&](auto* bias) {
    call.threads.split(call.inputs[0].dim(0), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t t = begin; t < end; ++t) {
        const float* x = call.inputs[0].as<const float>() + t * features;
        float* y = call.outputs[0].as<float>() + t * features;
        for_each_group(0, features, [&](int64_t f, int64_t n) { store(y + f, load(x + f, n) + load(bias + f, n), n); });
      }
    });
  });
}

void bias_gradient(const Invocation& call) {
  const int64_t features = call.inputs[0].dim(1);
  const bool continues = call.inputs.size() == 2;
  float* db = call.outputs[0].as<float>();
  call.threads.split(features, kLanes, [&](int64_t begin, int64_t end, int) {
    if (!continues) std::fill(db + begin, db + end, 0.0f);
    for (int64_t t = 0; t < call.inputs[0].dim(0); ++t) {
      const float* dy = call.inputs[0].as<const float>() + t * features;
      for_each_group(begin, end, [&](int64_t f, int64_t n) { store(db + f, load(db + f, n) + load(dy + f, n), n); });
    }
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(add_bias);
HEADROOM_KERNEL(bias_gradient);
