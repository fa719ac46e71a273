// kl[t] = sum_v p * ((reference - logits) - (reference_lse - lse)), p = exp(reference - reference_lse): a 16-lane sum
// in f64 of products that are exact there. The logits are subtracted from each other first: near ones lose no digit.
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

void kl_divergence(const Invocation& call) {
  const int64_t columns = call.inputs[0].dim(1);
  call.threads.split(call.inputs[0].dim(0), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const float* reference = call.inputs[0].as<const float>() + t * columns;
      const float* logits = call.inputs[2].as<const float>() + t * columns;
      const float reference_lse = call.inputs[1].as<const float>()[t];
      const float lse_difference = reference_lse - call.inputs[3].as<const float>()[t];
      const double kl = sum_16_lanes<double>(columns, [&](int64_t v, double lane) {
        const float p = exp(reference[v] - reference_lse);
        const float difference = p == 0.0f ? 0.0f : (reference[v] - logits[v]) - lse_difference;
        return std::fma(static_cast<double>(p), static_cast<double>(difference), lane);
      });
      call.outputs[0].as<float>()[t] = static_cast<float>(kl);
    }
  });
}

}  // namespace headroom::reference

HEADROOM_KERNEL(kl_divergence);
