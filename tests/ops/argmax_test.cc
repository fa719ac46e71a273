// Op argmax: the sentences of its shape rule.
#include "headroom/ops/argmax.h"

#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

TEST(ArgMaxOp, ChecksItsOperands) {
  EXPECT_EQ(output_types("argmax", {f32({5, 9})})[0], i32({5}));
  expect_refused("argmax", {f32({5, 0})}, {}, "argmax: x is [T, V]; expected V of 1 or more, got 0");
}

}  // namespace
}  // namespace headroom::testing
