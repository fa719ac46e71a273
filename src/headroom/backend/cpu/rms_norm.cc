// RMSNorm and its gradients (ops/rms_norm.h). Threads split the rows, for the weight's gradient the features, so that
// every chain over the rows stays whole. T rows, F features.
#include "headroom/backend/cpu/column_chains.h"
#include "headroom/backend/cpu/streams.h"

namespace headroom::HEADROOM_ISA {
namespace {

HEADROOM_INLINE float inverse_root(float x) { return 1.0f / _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

// Returns r.
template <class Element, class Weight, class Place>
HEADROOM_INLINE float normalize_row(const Element* x, const Weight* weight, int64_t features, float eps, Place y) {
  F32x16 lanes(0.0f);
  for_each_group(0, features, [&](int64_t f, auto n) {
    const F32x16 group = load(x + f, n);
    lanes = first_lanes(n, fma(group, group, lanes), lanes);
  });
  const float r = inverse_root(sum(lanes) / static_cast<float>(features) + eps);
  const F32x16 factor(r);
  for_each_group(0, features,
                 [=](int64_t f, auto n) { store(y + f, (load(x + f, n) * factor) * load(weight + f, n), n); });
  return r;
}

template <class Element, class Weight, class Place>
HEADROOM_INLINE void differentiate_row(const Element* x, const Weight* weight, float r, const Element* dy,
                                       int64_t features, Place dx) {
  F32x16 lanes(0.0f);
  for_each_group(0, features, [&](int64_t f, auto n) {
    lanes = first_lanes(n, fma(load(dy + f, n) * load(weight + f, n), load(x + f, n), lanes), lanes);
  });
  const F32x16 k(((r * r) * r) * (sum(lanes) / static_cast<float>(features)));
  const F32x16 factor(r);
  for_each_group(0, features, [=](int64_t f, auto n) {
    store(dx + f, fma(-k, load(x + f, n), (load(dy + f, n) * load(weight + f, n)) * factor), n);
  });
}

}  // namespace

void rms_norm(const Invocation& call) {
  const int64_t features = call.inputs[0].dim(1);
  const float eps = static_cast<float>(call.attributes.real("eps"));
  float* r = call.outputs[1].as<float>();
  with_elements(call.inputs[0], [&]<class Element>(const Element* x) {
    with_elements(call.inputs[1], [&](auto* weight) {
      split_rows<Element>(call, [&](int64_t begin, int64_t end, auto place) {
        for (int64_t t = begin; t < end; ++t) {
          r[t] = normalize_row(x + t * features, weight, features, eps, place(call.outputs[0]) + t * features);
        }
      });
    });
  });
}

void rms_norm_backward(const Invocation& call) {
  const int64_t features = call.inputs[0].dim(1);
  const float* r = call.inputs[2].as<const float>();
  with_elements(call.inputs[0], [&]<class Element>(const Element* x) {
    const Element* dy = call.inputs[3].as<const Element>();
    with_elements(call.inputs[1], [&](auto* weight) {
      split_rows<Element>(call, [&](int64_t begin, int64_t end, auto place) {
        for (int64_t t = begin; t < end; ++t) {
          differentiate_row(x + t * features, weight, r[t], dy + t * features, features,
                            place(call.outputs[0]) + t * features);
        }
      });
    });
  });
}

void rms_norm_weight_gradient(const Invocation& call) {
  const float* r = call.inputs[1].as<const float>();
  const bool continues = call.inputs.size() == 4;
  with_elements(call.inputs[0], [&]<class Element>(const Element* x) {
    const Element* dy = call.inputs[2].as<const Element>();
    chain_over_rows(call.threads, {call.inputs[0], call.inputs[2]}, continues, call.outputs[0].as<float>(),
                    [=](int64_t t, int64_t i, auto n, F32x16 chain) {
                      return fma(load(dy + i, n), load(x + i, n) * F32x16(r[t]), chain);
                    });
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(rms_norm);
HEADROOM_KERNEL(rms_norm_backward);
HEADROOM_KERNEL(rms_norm_weight_gradient);
