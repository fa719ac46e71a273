// Op clip_scale and the sums it takes: the sentences of their shape rules.
#include "headroom/ops/clip_scale.h"

#include "headroom/ops/sum.h"
#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

TEST(ClipScaleOp, ChecksItsOperands) {
  const Attributes clip = {{"max_norm", 1.0}};
  EXPECT_EQ(output_types("clip_scale", {f64({1}), f64({1})}, clip), (std::vector<Type>{f32({1}), f32({1})}));
  expect_refused("clip_scale", {}, clip, "clip_scale: wrong number of inputs; expected 1 or more, got 0");
  expect_refused("clip_scale", {f32({1})}, clip, "clip_scale: a squared norm is f64[1]; expected f64, got f32[1]");
  expect_refused("clip_scale", {f64({1})}, {{"max_norm", -2.0}},
                 "clip_scale: max_norm is a norm, or 0 for no clipping; expected 0 or more, got -2");
}

TEST(SumOp, IsOneNumberInF64) {
  EXPECT_EQ(output_types("sum", {f32({7, 9})})[0], f64({1}));
  expect_refused("squared_norm", {f64({7})}, {}, "squared_norm: x is f32; expected f32, got f64[7]");
}

TEST(ClipScaleOp, TakesTheNormsOfAllGradients) {
  GraphUnderTest test;
  const ValueId a = squared_norm(test.build, test.input("a", f32({5})));
  const ValueId b = squared_norm(test.build, test.input("b", f32({2, 2})));
  const ClipScaleResult result = clip_scale(test.build, {a, b}, 1.0);
  EXPECT_EQ(test.graph.nodes.back().inputs, (std::vector<ValueId>{a, b}));
  EXPECT_EQ(test.graph.nodes.back().outputs, (std::vector<ValueId>{result.norm, result.scale}));
}

}  // namespace
}  // namespace headroom::testing
