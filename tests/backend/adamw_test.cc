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

// Weights in bf16: moments as with f32 ones, weights one of the two neighbours of what f32 would be.
TEST(Adamw, RoundsBf16WeightsStochastically) {
  Random random(4);
  const Shape shape = {5, 131};
  const Array weight = random.array({DType::bf16, shape});
  const Array mean = random.array(f32(shape)), square = random.array(f32(shape), 0, 1),
              gradient = random.array(f32(shape));
  const Array scalars = array_of(f32({3}), std::vector<double>{1e-2, 2e-2, 0.5});
  const Array scale = array_of(f32({1}), std::vector<double>{0.7});
  const Array key = array_of(i32({4}), std::vector<double>{1, 2, 3, 0});
  Attributes attributes = kAttributes;
  attributes.set("site", int64_t{9});
  const std::vector<Array> got =
      expect_kernels_agree("adamw", {weight, mean, square, gradient, scalars, scale, key}, attributes);
  const std::vector<Array> exact = run_kernel(
      Isa::reference, "adamw", {in_format(weight, DType::f32), mean, square, gradient, scalars, scale}, kAttributes);
  expect_same_bits(exact[1], got[1], "mean");
  expect_same_bits(exact[2], got[2], "square");
  for (int64_t i = 0; i < got[0].elements(); ++i) {
    EXPECT_LT(std::abs(got[0].at(i) - exact[0].at(i)), std::abs(exact[0].at(i)) * 0x1p-7) << i;
  }
}

TEST(Adamw, ASkippedStepChangesNothing) {
  Random random(5);
  const Array weight = random.array(f32({99})), mean = random.array(f32({99})), square = random.array(f32({99}));
  const Array gradient = array_of(f32({99}), std::vector<double>(99, NAN));
  const Array skip = array_of(f32({1}), std::vector<double>{NAN});
  const std::vector<Array> got =
      expect_kernels_agree("adamw", {weight, mean, square, gradient, random.array(f32({3})), skip}, kAttributes);
  expect_same_bits(weight, got[0], "weight");
  expect_same_bits(mean, got[1], "mean");
  expect_same_bits(square, got[2], "square");
}

}  // namespace
}  // namespace headroom::testing
