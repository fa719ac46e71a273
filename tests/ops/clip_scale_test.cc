// Op clip_scale and the sums it takes: the sentences of their shape rules.
#include "headroom/ops/clip_scale.h"

#include "headroom/graph/verify.h"
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

TEST(ClipScaleOp, KeepsTheScaleInALastInput) {
  const Attributes keeps = {{"max_norm", 1.0}, {"keeps", int64_t{1}}};
  EXPECT_EQ(output_types("clip_scale", {f64({1}), f32({1})}, keeps), (std::vector<Type>{f32({1}), f32({1})}));
  expect_refused("clip_scale", {f64({1})}, keeps, "clip_scale: kept is f32[1]; expected f32, got f64[1]");
  GraphUnderTest test;
  const ValueId norm = squared_norm(test.build, test.input("a", f32({5})));
  const ClipScaleResult result = clip_scale(test.build, {norm}, 1.0);
  const ValueId kept = test.input("kept", f32({1}));
  keep_scale(test.graph.nodes.back(), kept);
  test.build.carry(kept, result.scale);
  EXPECT_NO_THROW(verify(test.graph));
  EXPECT_FALSE(test.graph.nodes.back().op->reads_input(test.graph.nodes.back(), 1));
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
