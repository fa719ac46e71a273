// AdamW over several steps, against torch.optim.AdamW's formula in f64.
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

constexpr double kRate = 1e-2, kBeta1 = 0.9, kBeta2 = 0.95, kEps = 1e-8, kDecay = 0.1;
const Attributes kAttributes = {{"beta1", kBeta1}, {"beta2", kBeta2}, {"eps", kEps}, {"weight_decay", kDecay}};

// PyTorch: p *= 1 - lr*wd; m.lerp_(g, 1-beta1); v = beta2 v + (1-beta2) g^2;
// p -= lr/(1-beta1^t) * m / (sqrt(v)/sqrt(1-beta2^t) + eps).
void step_in_f64(int t, double g, double& w, double& m, double& v) {
  w *= 1 - kRate * kDecay;
  m += (g - m) * (1 - kBeta1);
  v = kBeta2 * v + (1 - kBeta2) * g * g;
  w -= kRate / (1 - std::pow(kBeta1, t)) * m / (std::sqrt(v) / std::sqrt(1 - std::pow(kBeta2, t)) + kEps);
}

TEST(Adamw, FollowsPyTorchsFormula) {
  for (const bool scaled : {false, true}) {
    Random random(1);
    const Shape shape = {7, 331};
    Array weight = random.array(f32(shape)), mean(f32(shape), 0), square(f32(shape), 0);
    std::vector<double> w = values_of(weight), m(w.size(), 0.0), v(w.size(), 0.0);
    for (int t = 1; t <= 5; ++t) {
      const Array gradient = random.array(f32(shape));
      const Array scalars = array_of(
          f32({3}), std::vector<double>{kRate, kRate / (1 - std::pow(kBeta1, t)), std::sqrt(1 - std::pow(kBeta2, t))});
      std::vector<Array> inputs = {weight, mean, square, gradient, scalars};
      if (scaled) inputs.push_back(array_of(f32({1}), std::vector<double>{0.25}));
      const std::vector<Array> got = expect_kernels_agree("adamw", inputs, kAttributes);
      weight = got[0], mean = got[1], square = got[2];
      for (size_t i = 0; i < w.size(); ++i) {
        step_in_f64(t, gradient.at(static_cast<int64_t>(i)) * (scaled ? 0.25 : 1), w[i], m[i], v[i]);
      }
    }
    expect_close(weight, w, 1e-6, "w");
    expect_close(mean, m, 1e-6, "m");
    expect_close(square, v, 1e-6, "v");
  }
}

}  // namespace
}  // namespace headroom::testing
