// RMSNorm and its gradients (ops/rms_norm.h). T rows, F features.
#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

// r = 1 / sqrt(sum(x^2)/F + eps), y = (x*r)*w.
void rms_norm(const Invocation& call) {
  const int64_t features = call.inputs[0].dim(1);
  const float eps = static_cast<float>(call.attributes.real("eps"));
  with_elements(call.inputs[0], [&]<class Element>(const Element* rows) {
    with_elements(call.inputs[1], [&](auto* weight) {
      for (int64_t t = 0; t < call.inputs[0].dim(0); ++t) {
        const auto x = [&](int64_t f) { return load_one(rows + t * features + f); };
        Element* y = call.outputs[0].as<Element>() + t * features;
        const float squares = sum_16_lanes(features, [&](int64_t f, float lane) { return std::fma(x(f), x(f), lane); });
        const float r = 1.0f / std::sqrt(squares / static_cast<float>(features) + eps);
        for (int64_t f = 0; f < features; ++f) store_one(y + f, (x(f) * r) * load_one(weight + f));
        call.outputs[1].as<float>()[t] = r;
      }
    });
  });
}

// c = sum((dy*w) * x), k = ((r*r)*r) * (c/F), dx = (dy*w)*r - k*x.
void rms_norm_backward(const Invocation& call) {
  const int64_t features = call.inputs[0].dim(1);
  with_elements(call.inputs[0], [&]<class Element>(const Element* rows) {
    with_elements(call.inputs[1], [&](auto* weight) {
      for (int64_t t = 0; t < call.inputs[0].dim(0); ++t) {
        const auto x = [&](int64_t f) { return load_one(rows + t * features + f); };
        const auto weighted = [&](int64_t f) {
          return load_one(call.inputs[3].as<const Element>() + t * features + f) * load_one(weight + f);
        };
        const float r = call.inputs[2].as<const float>()[t];
        Element* dx = call.outputs[0].as<Element>() + t * features;
        const float c =
            sum_16_lanes(features, [&](int64_t f, float lane) { return std::fma(weighted(f), x(f), lane); });
        const float k = ((r * r) * r) * (c / static_cast<float>(features));
        for (int64_t f = 0; f < features; ++f) store_one(dx + f, std::fma(-k, x(f), weighted(f) * r));
      }
    });
  });
}

// dw[f] = one chain over the rows of dy * (x*r), from +0 or from the last input.
void rms_norm_weight_gradient(const Invocation& call) {
  const float* r = call.inputs[1].as<const float>();
  float* dw = call.outputs[0].as<float>();
  const int64_t features = call.inputs[0].dim(1);
  with_elements(call.inputs[0], [&]<class Element>(const Element* x) {
    const Element* dy = call.inputs[2].as<const Element>();
    for (int64_t f = 0; f < features; ++f) {
      float chain = call.inputs.size() == 4 ? dw[f] : 0.0f;
      for (int64_t t = 0; t < call.inputs[0].dim(0); ++t) {
        chain = std::fma(load_one(dy + t * features + f), load_one(x + t * features + f) * r[t], chain);
      }
      dw[f] = chain;
    }
  });
}

}  // namespace headroom::reference

HEADROOM_KERNEL(rms_norm);
HEADROOM_KERNEL(rms_norm_backward);
HEADROOM_KERNEL(rms_norm_weight_gradient);
