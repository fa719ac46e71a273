// parts[0] + (parts[1] + (... + parts[n - 1])) into the target, or added to it (ops/join_partials.h).
#include "headroom/backend/kernel.h"

namespace headroom::reference {

void join_partials(const Invocation& call) {
  const auto parts = call.inputs.subspan(call.attributes.integer("add") != 0 ? 0 : 1);
  float* target = call.outputs[0].as<float>();
  for (int64_t i = 0; i < call.outputs[0].elements(); ++i) {
    float sum = parts.back().as<const float>()[i];
    for (size_t part = parts.size() - 1; part-- > 0;) sum = parts[part].as<const float>()[i] + sum;
    target[i] = sum;
  }
}

}  // namespace headroom::reference

HEADROOM_KERNEL(join_partials);
