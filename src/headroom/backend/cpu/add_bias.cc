// A bias and its gradient (ops/add_bias.h). Threads split the rows, for the gradient the features, so that every chain
// over the rows stays whole. T rows, F features.
#include "headroom/backend/cpu/column_chains.h"
#include "headroom/backend/cpu/streams.h"

namespace headroom::HEADROOM_ISA {

void add_bias(const Invocation& call) {
  const int64_t features = call.inputs[0].dim(1);
  with_elements(call.inputs[0], [&]<class Element>(const Element* rows) {
    with_elements(call.inputs[1], [&](auto* bias) {
      split_rows<Element>(call, [&](int64_t begin, int64_t end, auto place) {
        for (int64_t t = begin; t < end; ++t) {
          const Element* x = rows + t * features;
          const auto y = place(call.outputs[0]) + t * features;
          for_each_group(0, features, [=](int64_t f, auto n) { store(y + f, load(x + f, n) + load(bias + f, n), n); });
        }
      });
    });
  });
}

void bias_gradient(const Invocation& call) {
  const bool continues = call.inputs.size() == 2;
  with_elements(call.inputs[0], [&](auto* dy) {
    chain_over_rows(call.threads, {call.inputs[0]}, continues, call.outputs[0].as<float>(),
                    [=](int64_t, int64_t i, auto n, F32x16 chain) { return chain + load(dy + i, n); });
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(add_bias);
HEADROOM_KERNEL(bias_gradient);
