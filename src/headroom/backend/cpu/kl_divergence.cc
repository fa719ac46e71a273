// kl_divergence: rows split over threads, sixteen lanes a row; each lane is one chain in f64.
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

void kl_divergence(const Invocation& call) {
  const int64_t columns = call.inputs[0].dim(1);
  call.threads.split(call.inputs[0].dim(0), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const float* reference = call.inputs[0].as<const float>() + t * columns;
      const float* logits = call.inputs[2].as<const float>() + t * columns;
      const F32x16 reference_lse(call.inputs[1].as<const float>()[t]);
      const F32x16 lse_difference = reference_lse - F32x16(call.inputs[3].as<const float>()[t]);
      const F32x16 zero(0.0f);
      F64x16 lanes(0.0);
      for_each_group(0, columns, [&](int64_t v, auto n) {
        const F32x16 a = load(reference + v, n);
        const F32x16 p = first_lanes(n, exp(a - reference_lse), zero);
        const F32x16 difference = select(p == zero, zero, (a - load(logits + v, n)) - lse_difference);
        lanes = fma(to_f64(p), to_f64(difference), lanes);
      });
      call.outputs[0].as<float>()[t] = static_cast<float>(sum(lanes));
    }
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(kl_divergence);
