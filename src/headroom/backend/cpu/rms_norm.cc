// RMSNorm and its gradients (ops/rms_norm.h). Threads split the rows, for the weight's gradient the features, so that
// every chain over the rows stays whole. T rows, F features.
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {
namespace {

HEADROOM_INLINE float inverse_root(float x) { return 1.0f / _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

template <class Weight>
HEADROOM_INLINE void normalize_row(const float* x, const Weight* weight, int64_t features, float eps, float* y,
                                   float* r) {
  F32x16 lanes(0.0f);
  for_each_group(0, features, [&](int64_t f, int64_t n) {
    const F32x16 group = load(x + f, n);
    lanes = first_lanes(n, fma(group, group, lanes), lanes);
  });
  *r = inverse_root(sum(lanes) / static_cast<float>(features) + eps);
  const F32x16 factor(*r);
  for_each_group(0, features,
                 [&](int64_t f, int64_t n) { store(y + f, (load(x + f, n) * factor) * load(weight + f, n), n); });
}

template <class Weight>
HEADROOM_INLINE void differentiate_row(const float* x, const Weight* weight, float r, const float* dy, int64_t features,
                                       float* dx) {
  F32x16 lanes(0.0f);
  for_each_group(0, features, [&](int64_t f, int64_t n) {
    lanes = first_lanes(n, fma(load(dy + f, n) * load(weight + f, n), load(x + f, n), lanes), lanes);
  });
  const F32x16 k(((r * r) * r) * (sum(lanes) / static_cast<float>(features)));
  const F32x16 factor(r);
  for_each_group(0, features, [&](int64_t f, int64_t n) {
    store(dx + f, fma(-k, load(x + f, n), (load(dy + f, n) * load(weight + f, n)) * factor), n);
  });
}

}  // namespace

void rms_norm(const Invocation& call) {
  const int64_t features = call.inputs[0].dim(1);
  const float eps = static_cast<float>(call.attributes.real("eps"));
  with_elements(call.inputs[1], [&](auto* weight) {
    call.threads.split(call.inputs[0].dim(0), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t t = begin; t < end; ++t) {
        normalize_row(call.inputs[0].as<const float>() + t * features, weight, features, eps,
                      call.outputs[0].as<float>() + t * features, call.outputs[1].as<float>() + t);
      }
    });
  });
}

void rms_norm_backward(const Invocation& call) {
  const int64_t features = call.inputs[0].dim(1);
  with_elements(call.inputs[1], [&](auto* weight) {
    call.threads.split(call.inputs[0].dim(0), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t t = begin; t < end; ++t) {
        differentiate_row(call.inputs[0].as<const float>() + t * features, weight, call.inputs[2].as<const float>()[t],
                          call.inputs[3].as<const float>() + t * features, features,
                          call.outputs[0].as<float>() + t * features);
      }
    });
  });
}

void rms_norm_weight_gradient(const Invocation& call) {
  const int64_t features = call.inputs[0].dim(1);
  const bool continues = call.inputs.size() == 4;
  float* dw = call.outputs[0].as<float>();
  call.threads.split(features, kLanes, [&](int64_t begin, int64_t end, int) {
    if (!continues) std::fill(dw + begin, dw + end, 0.0f);
    for (int64_t t = 0; t < call.inputs[0].dim(0); ++t) {
      const float* x = call.inputs[0].as<const float>() + t * features;
      const F32x16 r(call.inputs[1].as<const float>()[t]);
      const float* dy = call.inputs[2].as<const float>() + t * features;
      for_each_group(begin, end, [&](int64_t f, int64_t n) {
        store(dw + f, fma(load(dy + f, n), load(x + f, n) * r, load(dw + f, n)), n);
      });
    }
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(rms_norm);
HEADROOM_KERNEL(rms_norm_backward);
HEADROOM_KERNEL(rms_norm_weight_gradient);
