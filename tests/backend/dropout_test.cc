// Dropout and scale: kernels agree, the share that is left out is the rate, and the mask is the batch's whatever rows a
// call holds.
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

const Array kDropoutKey = array_of(i32({4}), std::vector<double>{1234, -5, 3, 0});

Attributes settings(double rate, int64_t site = 99) { return {{"rate", rate}, {"factor", 2.5}, {"site", site}}; }

Array rows_from(int64_t first, int64_t rows) {
  return array_of(i32({2}), std::vector<double>{static_cast<double>(first), static_cast<double>(rows)});
}

// Rows that are no multiple of a block of random words, so that calls begin and end inside one.
TEST(Dropout, KernelsAgree) {
  Random random(1);
  for (const auto& [rows, features] : {std::pair<int64_t, int64_t>{1, 1}, {3, 7}, {5, 64}, {40, 130}, {0, 8}}) {
    for (const int64_t first : {0, 3, 77}) {
      const Array x = random.array(f32({rows, features}));
      expect_kernels_agree("dropout", {x, kDropoutKey, rows_from(first, rows)}, settings(0.3));
    }
  }
}

TEST(Dropout, LeavesOutTheRateAndScalesTheRest) {
  Random random(2);
  const int64_t rows = 512, features = 96;
  const Array x = random.array(f32({rows, features}), 1, 2);
  for (const double rate : {0.0, 0.1, 0.9}) {
    const Array y = run_kernel(Isa::avx2, "dropout", {x, kDropoutKey, rows_from(0, rows)}, settings(rate))[0];
    int64_t left_out = 0;
    for (int64_t i = 0; i < y.elements(); ++i) {
      if (y.at(i) == 0) {
        ++left_out;
      } else {
        ASSERT_EQ(y.as<float>()[i], x.as<float>()[i] * 2.5f);
      }
    }
    const double expected = rate * static_cast<double>(y.elements());
    EXPECT_NEAR(static_cast<double>(left_out), expected, 6 * std::sqrt(expected + 1)) << rate;
  }
}

TEST(Dropout, TheMaskIsThatOfTheWholeBatch) {
  Random random(3);
  const Array x = random.array(f32({8, 30}), 1, 2);
  const Array whole = run_kernel(Isa::avx2, "dropout", {x, kDropoutKey, rows_from(0, 8)}, settings(0.5))[0];
  Array part(f32({3, 30}));
  std::copy_n(x.as<float>() + 5 * 30, 3 * 30, part.as<float>());
  const Array got = run_kernel(Isa::avx2, "dropout", {part, kDropoutKey, rows_from(5, 3)}, settings(0.5))[0];
  for (int64_t i = 0; i < got.elements(); ++i) ASSERT_EQ(got.at(i), whole.at(5 * 30 + i)) << i;
  const Array elsewhere = run_kernel(Isa::avx2, "dropout", {x, kDropoutKey, rows_from(0, 8)}, settings(0.5, 100))[0];
  EXPECT_NE(values_of(elsewhere), values_of(whole));
}

TEST(Scale, RoundsEachProductOnce) {
  Random random(4);
  const Array x = random.array(f32({3, 4113}));
  const Array y = expect_kernels_agree("scale", {x}, {{"factor", 0.3}})[0];
  for (int64_t i = 0; i < y.elements(); ++i) ASSERT_EQ(y.as<float>()[i], x.as<float>()[i] * 0.3f);
}

}  // namespace
}  // namespace headroom::testing
