// NaN, infinite, subnormal, zero and all elements of x, counted (ops/count_numerics.h).
#include <cmath>

#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

void count_numerics(const Invocation& call) {
  double* counts = call.outputs[0].as<double>();
  const bool adds = call.inputs.size() == 2;
  for (int i = 0; i < 5; ++i) counts[i] = adds ? counts[i] : 0;
  const float least = call.inputs[0].type.dtype == DType::f16 ? 0x1p-14f : 0x1p-126f;  // the smallest normal number
  with_elements(call.inputs[0], [&](auto* x) {
    for (int64_t i = 0; i < call.inputs[0].elements(); ++i) {
      const float value = load_one(x + i);
      counts[0] += std::isnan(value) ? 1 : 0;
      counts[1] += std::isinf(value) ? 1 : 0;
      counts[2] += value != 0 && std::fabs(value) < least ? 1 : 0;
      counts[3] += value == 0 ? 1 : 0;
      counts[4] += 1;
    }
  });
}

}  // namespace headroom::reference

HEADROOM_KERNEL(count_numerics);
