// RMSNorm and its gradients, against the formula and its derivatives by central differences in f64.
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

constexpr double kRmsNormEps = 1e-5;
constexpr DType kScaleFormats[] = {DType::f32, DType::bf16, DType::f16};

std::vector<double> formula(const std::vector<double>& x, const std::vector<double>& weight) {
  const size_t features = weight.size();
  std::vector<double> y(x.size());
  for (size_t row = 0; row < x.size(); row += features) {
    double squares = 0;
    for (size_t f = 0; f < features; ++f) squares += x[row + f] * x[row + f];
    const double r = 1 / std::sqrt(squares / static_cast<double>(features) + kRmsNormEps);
    for (size_t f = 0; f < features; ++f) y[row + f] = x[row + f] * r * weight[f];
  }
  return y;
}

TEST(RmsNorm, MatchesTheFormula) {
  Random random(1);
  for (const DType format : kScaleFormats) {
    for (const int64_t features : {1, 15, 16, 17, 64, 100, 333}) {
      const Array x = random.array(f32({5, features}), -3, 3);
      const Array weight = random.array({format, {features}});
      const std::vector<Array> got = expect_kernels_agree("rms_norm", {x, weight}, {{"eps", kRmsNormEps}});
      expect_close(got[0], formula(values_of(x), values_of(weight)), 1e-6, "y");
    }
  }
}

TEST(RmsNorm, PassesNaNOnAndKeepsToItsRow) {
  Random random(2);
  const Array x = random.array(f32({3, 40}));
  x.set(45, NAN);
  const std::vector<Array> got = expect_kernels_agree("rms_norm", {x, random.array(f32({40}))}, {{"eps", kRmsNormEps}});
  EXPECT_FALSE(std::isnan(got[0].at(39)));
  EXPECT_TRUE(std::isnan(got[0].at(40)));
  EXPECT_FALSE(std::isnan(got[0].at(80)));
}

TEST(RmsNormBackward, MatchesTheDerivatives) {
  Random random(3);
  for (const DType format : kScaleFormats) {
    for (const int64_t features : {1, 16, 23, 70}) {
      const Array x = random.array(f32({4, features}), -2, 2);
      const Array weight = random.array({format, {features}});
      const Array dy = random.array(f32({4, features}));
      const Array r = run_kernel(Isa::reference, "rms_norm", {x, weight}, {{"eps", kRmsNormEps}})[1];

      const Array dx = expect_kernels_agree("rms_norm_backward", {x, weight, r, dy})[0];
      expect_close(dx,
                   numeric_gradient(values_of(x),
                                    [&](const std::vector<double>& at) {
                                      return dot(formula(at, values_of(weight)), values_of(dy));
                                    }),
                   2e-6, "dx");
      const Array dweight = expect_kernels_agree("rms_norm_weight_gradient", {x, r, dy})[0];
      expect_close(dweight,
                   numeric_gradient(
                       values_of(weight),
                       [&](const std::vector<double>& at) { return dot(formula(values_of(x), at), values_of(dy)); }),
                   2e-6, "dw");
    }
  }
}

// What gradient accumulation relies on: rows 3 to 6 continuing rows 0 to 2 have the bits of rows 0 to 6.
TEST(RmsNormWeightGradient, ContinuesASumWithTheBitsOfTheWhole) {
  Random random(4);
  const Array x = random.array(f32({7, 37})), dy = random.array(f32({7, 37})), r = random.array(f32({7}));
  const auto rows = [](const Array& from, int64_t begin, int64_t end) {
    const int64_t width = from.elements() / 7;
    const Array part(from.type().shape.rank() == 1 ? f32({end - begin}) : f32({end - begin, width}));
    for (int64_t i = 0; i < part.elements(); ++i) part.set(i, from.at(begin * width + i));
    return part;
  };
  const Array whole = expect_kernels_agree("rms_norm_weight_gradient", {x, r, dy})[0];
  const Array first =
      run_kernel(Isa::reference, "rms_norm_weight_gradient", {rows(x, 0, 3), rows(r, 0, 3), rows(dy, 0, 3)})[0];
  const Array both =
      expect_kernels_agree("rms_norm_weight_gradient", {rows(x, 3, 7), rows(r, 3, 7), rows(dy, 3, 7), first})[0];
  expect_same_bits(whole, both, "two parts");
}

}  // namespace
}  // namespace headroom::testing
