// Addition, against the sum rounded once.
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

TEST(Add, RoundsEachSumOnce) {
  Random random(1);
  for (const Shape& shape : {Shape{1}, Shape{17}, Shape{3, 5, 7}, Shape{2, 5000}, Shape{0}}) {
    const Array a = random.array(f32(shape)), b = random.array(f32(shape), -100, 100);
    const Array c = expect_kernels_agree("add", {a, b})[0];
    for (int64_t i = 0; i < c.elements(); ++i) EXPECT_EQ(c.as<float>()[i], static_cast<float>(a.at(i) + b.at(i)));
  }
}

}  // namespace
}  // namespace headroom::testing
