// Zeroing in place.
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

TEST(Zero, ClearsEveryByte) {
  Random random(1);
  for (const DType format : {DType::f32, DType::bf16, DType::f64, DType::i32}) {
    const Array zeros = expect_kernels_agree("zero", {random.array({format, {41, 77}}, 1, 2)})[0];
    for (int64_t i = 0; i < zeros.type().bytes(); ++i) ASSERT_EQ(zeros.as<char>()[i], 0);
  }
}

}  // namespace
}  // namespace headroom::testing
