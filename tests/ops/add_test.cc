// Op add: the sentences of its shape rule, the storage it promises, what its gradient builds.
#include "headroom/ops/add.h"

#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

TEST(AddOp, ChecksItsOperands) {
  EXPECT_EQ(output_types("add", {f32({2, 3, 4}), f32({2, 3, 4})})[0], f32({2, 3, 4}));
  expect_refused("add", {f32({6}), f32({2, 3})}, {}, "add: b has a's shape; expected [6], got [2, 3]");
  expect_refused("add", {i32({6}), i32({6})}, {}, "add: a is f32, bf16 or f16; expected f32, bf16 or f16, got i32[6]");
}

TEST(AddOp, GradientIsTheOutputsOwn) {
  GraphUnderTest test;
  const ValueId dc = test.input("dc", f32({5}));
  add(test.build, test.input("a", f32({5})), test.input("b", f32({5})));
  EXPECT_EQ(test.gradient({dc}), "dc dc");
}

}  // namespace
}  // namespace headroom::testing
