// argmax: the first place of the largest, on every instruction set.
#include <algorithm>

#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

TEST(ArgMax, FindsTheFirstOfTheLargest) {
  Random random(1);
  for (int64_t columns = 1; columns <= 70; ++columns) {
    SCOPED_TRACE(columns);
    const Array x = random.integers(f32({6, columns}), -3, 3);
    const Array top = expect_kernels_agree("argmax", {x})[0];
    for (int64_t t = 0; t < 6; ++t) {
      const float* row = x.as<float>() + t * columns;
      EXPECT_EQ(top.at(t), std::max_element(row, row + columns) - row);
    }
  }
}

TEST(ArgMax, SpecialNumbers) {
  const std::vector<double> numbers = {-INFINITY, -INFINITY, 1, INFINITY, 2, NAN, -0.0, 0.0};
  const Array top = expect_kernels_agree("argmax", {array_of(f32({4, 2}), numbers)})[0];
  EXPECT_EQ(values_of(top), (std::vector<double>{0, 1, 0, 0}));
}

}  // namespace
}  // namespace headroom::testing
