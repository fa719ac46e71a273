// Counts of unusual numbers, in each format.
#include "tests/backend/kernel_runner.h"

namespace headroom::testing {
namespace {

TEST(CountNumerics, CountsWhatIsOutOfTheOrdinary) {
  struct Case {
    DType dtype;
    double subnormal;
  };
  for (const Case& at : {Case{DType::f32, 1e-40}, Case{DType::bf16, 1e-39}, Case{DType::f16, 1e-6}}) {
    SCOPED_TRACE(name_of(at.dtype));
    Random random(1);
    const Array x = random.array({at.dtype, {300, 401}}, 1, 2);
    for (int64_t i = 0; i < 3; ++i) x.set(1000 * i, NAN);
    for (int64_t i = 0; i < 5; ++i) x.set(1000 * i + 1, i % 2 == 0 ? INFINITY : -INFINITY);
    for (int64_t i = 0; i < 7; ++i) x.set(1000 * i + 2, i % 2 == 0 ? at.subnormal : -at.subnormal);
    for (int64_t i = 0; i < 11; ++i) x.set(1000 * i + 3, i % 2 == 0 ? 0.0 : -0.0);
    const Array counts = expect_kernels_agree("count_numerics", {x})[0];
    const double expected[] = {3, 5, 7, 11, 300 * 401};
    for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(counts.at(i), expected[i]);
    const Array twice = expect_kernels_agree("count_numerics", {x, counts})[0];
    for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(twice.at(i), 2 * expected[i]);
  }
}

}  // namespace
}  // namespace headroom::testing
