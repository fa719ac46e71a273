// parts[0] + (parts[1] + (... + parts[n - 1])) into the target, or added to it (ops/join_partials.h).
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

void join_partials(const Invocation& call) {
  const auto parts = call.inputs.subspan(call.attributes.integer("add") != 0 ? 0 : 1);
  float* target = call.outputs[0].as<float>();
  split_elements(call.threads, call.outputs[0].elements(), [&](int64_t i, auto n) {
    F32x16 sum = load(parts.back().as<const float>() + i, n);
    for (size_t part = parts.size() - 1; part-- > 0;) sum = load(parts[part].as<const float>() + i, n) + sum;
    store(target + i, sum, n);
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(join_partials);
