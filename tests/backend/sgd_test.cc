// SGD, against the formula in f64.
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

TEST(Sgd, StepsAgainstTheGradient) {
  Random random(1);
  const Array weight = random.array(f32({3, 700})), gradient = random.array(f32({3, 700}));
  const Array scalars = array_of(f32({3}), std::vector<double>{0.5, NAN, NAN});  // only the rate is read
  std::vector<double> expected = values_of(weight);
  for (size_t i = 0; i < expected.size(); ++i) expected[i] -= 0.5 * gradient.at(static_cast<int64_t>(i));
  expect_close(expect_kernels_agree("sgd", {weight, gradient, scalars})[0], expected, 1e-7, "unscaled");

  expected = values_of(weight);
  for (size_t i = 0; i < expected.size(); ++i) expected[i] -= 0.5 * 3 * gradient.at(static_cast<int64_t>(i));
  const Array scale = array_of(f32({1}), std::vector<double>{3});
  expect_close(expect_kernels_agree("sgd", {weight, gradient, scalars, scale})[0], expected, 1e-7, "scaled");
}

}  // namespace
}  // namespace headroom::testing
