// Op rms_norm: the sentences of its shape rule, the storage it promises, what its gradient builds.
#include "headroom/ops/rms_norm.h"

#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

const Attributes kEps = {{"eps", 1e-6}};

TEST(RmsNormOp, ChecksItsOperands) {
  const std::vector<Type> outputs = output_types("rms_norm", {f32({5, 64}), {DType::bf16, {64}}}, kEps);
  EXPECT_EQ(outputs, (std::vector<Type>{f32({5, 64}), f32({5})}));
  expect_refused("rms_norm", {f32({5, 64}), f32({63})}, kEps,
                 "rms_norm: weight is [F] where x is [T, F]; expected [64], got [63]");
  expect_refused("rms_norm", {i32({5, 64}), f32({64})}, kEps,
                 "rms_norm: x is [T, F] in f32, bf16 or f16; expected f32, bf16 or f16, got i32[5, 64]");
  expect_refused("rms_norm", {f32({5, 64}), f32({64})}, {{"eps", -1.0}},
                 "rms_norm: eps keeps the root above zero; expected 0 or more, got -1");
  expect_refused("rms_norm_backward", {f32({5, 64}), f32({64}), f32({4}), f32({5, 64})}, {},
                 "rms_norm_backward: r is [T] where x is [T, F]; expected [5], got [4]");
  expect_refused("rms_norm_weight_gradient", {f32({5, 64}), f32({5}), f32({5, 64}), f32({5})}, {},
                 "rms_norm_weight_gradient: sum is [F] where x is [T, F]; expected [64], got [5]");
}

// A weight may be updated right after its gradient: dx, which reads the weight, comes first.
TEST(RmsNormOp, GradientReadsTheWeightFirst) {
  GraphUnderTest test;
  const ValueId dy = test.input("dy", f32({5, 8}));
  rms_norm(test.build, test.input("x", f32({5, 8})), test.weight("w", f32({8})), 1e-6);
  EXPECT_EQ(test.gradient({dy, kNoValue}), "rms_norm_backward rms_norm_weight_gradient");
  ASSERT_EQ(test.graph.nodes.size(), 3u);
  EXPECT_EQ(test.graph.nodes[1].op->name(), "rms_norm_backward");
  EXPECT_EQ(test.graph.values.back().role, Role::gradient);
  EXPECT_EQ(test.graph.value(test.graph.nodes[1].outputs[0]).role, Role::activation);
}

TEST(RmsNormOp, WithoutAGradientNothingIsBuilt) {
  GraphUnderTest test;
  rms_norm(test.build, test.input("x", f32({5, 8})), test.weight("w", f32({8})), 1e-6);
  EXPECT_EQ(test.gradient({kNoValue, kNoValue}), "- -");
  EXPECT_EQ(test.graph.nodes.size(), 1u);
}

TEST(RmsNormWeightGradientOp, ContinuesASumInPlace) {
  EXPECT_EQ(Typed("rms_norm_weight_gradient", {f32({5, 8}), f32({5}), f32({5, 8})}).in_place(), "");
  EXPECT_EQ(Typed("rms_norm_weight_gradient", {f32({5, 8}), f32({5}), f32({5, 8}), f32({8})}).in_place(), "0<-3");
  EXPECT_TRUE(find_op("rms_norm_weight_gradient")->continues_sum());
}

}  // namespace
}  // namespace headroom::testing
