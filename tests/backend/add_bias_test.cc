// A bias and its gradient: each sum rounded once, and the chain over the rows as docs/arithmetic.md writes it.
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

TEST(AddBias, RoundsEachSumOnce) {
  Random random(1);
  for (const DType format : {DType::f32, DType::bf16, DType::f16}) {
    for (const int64_t features : {1, 15, 16, 17, 100, 333}) {
      const Array x = random.array(f32({5, features}), -3, 3);
      const Array bias = random.array({format, {features}}, -100, 100);
      const Array y = expect_kernels_agree("add_bias", {x, bias})[0];
      for (int64_t i = 0; i < y.elements(); ++i) {
        EXPECT_EQ(y.as<float>()[i], static_cast<float>(x.at(i) + bias.at(i % features)));
      }
    }
  }
}

TEST(BiasGradient, AddsTheRowsInOrder) {
  Random random(2);
  for (const int64_t features : {1, 16, 23, 70}) {
    const Array dy = random.array(f32({9, features}), -100, 100);
    const Array db = expect_kernels_agree("bias_gradient", {dy})[0];
    for (int64_t f = 0; f < features; ++f) {
      float chain = 0;
      for (int64_t t = 0; t < 9; ++t) chain = static_cast<float>(static_cast<double>(chain) + dy.at(t * features + f));
      EXPECT_EQ(db.as<float>()[f], chain);
    }
  }
}

TEST(BiasGradient, IsTheDerivative) {
  Random random(3);
  const Array x = random.array(f32({4, 23})), bias = random.array(f32({23})), dy = random.array(f32({4, 23}));
  const auto loss = [&](const std::vector<double>& at) {
    std::vector<double> y = values_of(x);
    for (size_t i = 0; i < y.size(); ++i) y[i] += at[i % at.size()];
    return dot(y, values_of(dy));
  };
  expect_close(run_kernel(Isa::reference, "bias_gradient", {dy})[0], numeric_gradient(values_of(bias), loss), 2e-6,
               "db");
}

// What gradient accumulation relies on: rows 3 to 6 continuing rows 0 to 2 have the bits of rows 0 to 6.
TEST(BiasGradient, ContinuesASumWithTheBitsOfTheWhole) {
  Random random(4);
  const Array dy = random.array(f32({7, 37}), -100, 100);
  const auto rows = [&](int64_t begin, int64_t end) {
    const Array part(f32({end - begin, 37}));
    for (int64_t i = 0; i < part.elements(); ++i) part.set(i, dy.at(begin * 37 + i));
    return part;
  };
  const Array whole = expect_kernels_agree("bias_gradient", {dy})[0];
  const Array first = run_kernel(Isa::reference, "bias_gradient", {rows(0, 3)})[0];
  expect_same_bits(whole, expect_kernels_agree("bias_gradient", {rows(3, 7), first})[0], "two parts");
}

}  // namespace
}  // namespace headroom::testing
