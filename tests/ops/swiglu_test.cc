// Op swiglu: the sentences of its shape rule, the storage it promises, what its gradient builds.
#include "headroom/ops/swiglu.h"

#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

TEST(SwigluOp, ChecksItsOperands) {
  EXPECT_EQ(output_types("swiglu", {f32({5, 8}), f32({5, 8})})[0], f32({5, 8}));
  expect_refused("swiglu", {f32({5, 8}), f32({5, 9})}, {}, "swiglu: up has gate's shape; expected [5, 8], got [5, 9]");
  expect_refused("swiglu_backward", {f32({5, 8}), f32({5, 8}), f32({8, 5})}, {},
                 "swiglu_backward: dy has gate's shape; expected [5, 8], got [8, 5]");
}

TEST(SwigluOp, GradientReachesBothInputsAndTakesTheirStorage) {
  GraphUnderTest test;
  const ValueId dy = test.input("dy", f32({5, 8}));
  swiglu(test.build, test.input("gate", f32({5, 8})), test.input("up", f32({5, 8})));
  EXPECT_EQ(test.gradient({dy}), "swiglu_backward swiglu_backward.1");
  EXPECT_EQ(Typed("swiglu_backward", {f32({5, 8}), f32({5, 8}), f32({5, 8})}).may_reuse(), "0<-0 0<-2 1<-1");
}

}  // namespace
}  // namespace headroom::testing
