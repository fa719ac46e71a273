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

// In bf16 without a master copy: kernels agree, another step or site rounds otherwise, and the mean of many roundings
// is the update itself, although it is far below the spacing of bf16.
TEST(Sgd, RoundsBf16WeightsStochastically) {
  Random random(2);
  const int64_t count = 40000;
  const Array weight = array_of({DType::bf16, {count}}, std::vector<double>(static_cast<size_t>(count), 1.0));
  const Array gradient = array_of(f32({count}), std::vector<double>(static_cast<size_t>(count), -1.0));
  const Array scalars = array_of(f32({3}), std::vector<double>{0x1p-12, 0, 0});
  const Array key = array_of(i32({4}), std::vector<double>{5, 0, 3, 0});
  const Attributes site = {{"site", int64_t{77}}};
  const Array got = expect_kernels_agree("sgd", {weight, gradient, scalars, key}, site)[0];
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += got.at(i) - 1.0;
  EXPECT_NEAR(sum / static_cast<double>(count), 0x1p-12, 0x1p-12 * 0.1);
  const Array next = array_of(i32({4}), std::vector<double>{5, 0, 4, 0});
  const auto differs = [&](const Array& other) {
    return std::memcmp(got.buffer()->data(), other.buffer()->data(), static_cast<size_t>(2 * count)) != 0;
  };
  EXPECT_TRUE(differs(run_kernel(Isa::reference, "sgd", {weight, gradient, scalars, next}, site)[0]));
  EXPECT_TRUE(differs(run_kernel(Isa::reference, "sgd", {weight, gradient, scalars, key}, {{"site", int64_t{78}}})[0]));

  const Array odd = random.array({DType::bf16, {3, 231}});
  const Array scale = array_of(f32({1}), std::vector<double>{0.5});
  expect_kernels_agree("sgd", {odd, random.array(f32({3, 231})), scalars, scale, key}, site);
}

TEST(Sgd, ASkippedStepChangesNothing) {
  Random random(3);
  const Array weight = random.array(f32({99})), gradient = array_of(f32({99}), std::vector<double>(99, INFINITY));
  const Array scalars = array_of(f32({3}), std::vector<double>{0.5, 0, 0});
  const Array skip = array_of(f32({1}), std::vector<double>{NAN});
  expect_same_bits(weight, expect_kernels_agree("sgd", {weight, gradient, scalars, skip})[0], "weight");
}

}  // namespace
}  // namespace headroom::testing
