// Op rope: the sentences of its shape rule, the storage it promises, what its gradient builds.
#include "headroom/ops/rope.h"

#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

Attributes heads(int64_t count) { return {{"heads", count}, {"pairs", int64_t{0}}, {"inverse", int64_t{0}}}; }

TEST(RopeOp, ChecksItsOperands) {
  EXPECT_EQ(output_types("rope", {f32({5, 24}), i32({5}), f32({99, 8})}, heads(3))[0], f32({5, 24}));
  expect_refused("rope", {f32({5, 24}), i32({4}), f32({99, 8})}, heads(3),
                 "rope: positions is i32[T] where x is [T, heads*S]; expected [5], got [4]");
  const std::string rule = "rope: x is [T, heads*S] where table is [P, D], D even and S no less; expected ";
  expect_refused("rope", {f32({5, 25}), i32({5}), f32({99, 8})}, heads(3), rule + "3 heads of 8, got [5, 25]");
  expect_refused("rope", {f32({5, 9}), i32({5}), f32({99, 3})}, heads(3), rule + "3 heads of 3, got [5, 9]");
  expect_refused("rope", {f32({5, 24}), i32({5}), f32({99, 8})}, heads(0), rule + "0 heads of 8, got [5, 24]");
}

TEST(RopeOp, GradientTurnsBack) {
  GraphUnderTest test;
  const ValueId dy = test.input("dy", f32({5, 16}));
  rope(test.build, test.input("x", f32({5, 16})), test.input("positions", i32({5})), test.input("table", f32({9, 8})),
       2);
  EXPECT_EQ(test.gradient({dy}), "rope.1 - -");
  EXPECT_EQ(test.graph.nodes.back().attributes.integer("inverse"), 1);
  EXPECT_EQ(test.gradient({dy}), "rope.2 - -");
  EXPECT_EQ(test.graph.nodes.back().attributes.integer("inverse"), 0);
}

}  // namespace
}  // namespace headroom::testing
