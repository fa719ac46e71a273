// Ops dropout and scale: the sentences of their shape rules and what their gradients build.
#include "headroom/ops/dropout.h"

#include "headroom/ops/scale.h"
#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

const Attributes kHalf = {{"rate", 0.5}, {"factor", 2.0}, {"site", int64_t{7}}};

TEST(DropoutOp, ChecksItsOperands) {
  EXPECT_EQ(output_types("dropout", {f32({3, 4}), i32({4}), i32({2})}, kHalf)[0], f32({3, 4}));
  expect_refused("dropout", {f32({12}), i32({4}), i32({2})}, kHalf,
                 "dropout: x is f32[T, F]; expected 2 dimensions, got [12]");
  expect_refused("dropout", {f32({3, 4}), i32({4}), i32({3})}, kHalf, "dropout: rows is i32[2]; expected [2], got [3]");
  expect_refused("dropout", {f32({3, 4}), i32({4}), i32({2})}, {{"rate", 1.0}, {"factor", 2.0}, {"site", int64_t{7}}},
                 "dropout: rate is a share; expected 0 <= rate < 1, got 1");
}

TEST(DropoutOp, GradientIsTheSameMask) {
  GraphUnderTest test;
  const ValueId dy = test.input("dy", f32({3, 4}));
  const ValueId key = test.input("random_key", i32({4}));
  const ValueId rows = test.input("rows", i32({2}));
  dropout(test.build, test.weight("x", f32({3, 4})), key, rows, {0.5, 2.0, 7});
  EXPECT_EQ(test.gradient({dy}), "dropout.1 - -");
  const Node& backward = test.graph.nodes.back();
  EXPECT_EQ(backward.inputs, (std::vector<ValueId>{dy, key, rows}));
  EXPECT_EQ(backward.attributes, kHalf);
}

TEST(ScaleOp, GradientIsScaled) {
  EXPECT_EQ(Typed("scale", {f32({5})}, {{"factor", 3.0}}).may_reuse(), "0<-0");
  expect_refused("scale", {i32({5})}, {{"factor", 3.0}}, "scale: x is f32; expected f32, got i32[5]");
  GraphUnderTest test;
  const ValueId dy = test.input("dy", f32({5}));
  scale(test.build, test.weight("x", f32({5})), 3.0);
  EXPECT_EQ(test.gradient({dy}), "scale.1");
  EXPECT_EQ(test.graph.nodes.back().attributes.real("factor"), 3.0);
}

}  // namespace
}  // namespace headroom::testing
