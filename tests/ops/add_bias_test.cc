// Op add_bias: the sentences of its shape rule, the storage it promises, what its gradient builds.
#include "headroom/ops/add_bias.h"

#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

TEST(AddBiasOp, ChecksItsOperands) {
  EXPECT_EQ(output_types("add_bias", {f32({5, 24}), {DType::f16, {24}}})[0], f32({5, 24}));
  expect_refused("add_bias", {f32({5, 24}), f32({5})}, {},
                 "add_bias: bias is [F] where x is [T, F]; expected [24], got [5]");
  expect_refused("add_bias", {i32({5, 24}), f32({24})}, {},
                 "add_bias: x is [T, F] in f32, bf16 or f16; expected f32, bf16 or f16, got i32[5, 24]");
  expect_refused("bias_gradient", {f32({5, 24}), f32({5})}, {},
                 "bias_gradient: sum is [F] where dy is [T, F]; expected [24], got [5]");
}

TEST(AddBiasOp, MayTakeItsInputsStorage) {
  EXPECT_EQ(Typed("add_bias", {f32({5, 24}), f32({24})}).may_reuse(), "0<-0");
}

TEST(AddBiasOp, GradientOfXIsTheOutputsOwn) {
  GraphUnderTest test;
  const ValueId dy = test.input("dy", f32({5, 8}));
  add_bias(test.build, test.input("x", f32({5, 8})), test.weight("b", f32({8})));
  EXPECT_EQ(test.gradient({dy}), "dy bias_gradient");
  EXPECT_EQ(test.graph.values.back().role, Role::gradient);
}

TEST(BiasGradientOp, ContinuesASumInPlace) {
  EXPECT_EQ(Typed("bias_gradient", {f32({5, 8})}).in_place(), "");
  EXPECT_EQ(Typed("bias_gradient", {f32({5, 8}), f32({8})}).in_place(), "0<-1");
  EXPECT_TRUE(find_op("bias_gradient")->continues_sum());
}

}  // namespace
}  // namespace headroom::testing
