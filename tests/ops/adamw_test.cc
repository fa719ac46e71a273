// Ops adamw and sgd: the sentences of their shape rules, updates in place.
#include "headroom/ops/adamw.h"

#include "headroom/ops/sgd.h"
#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

Attributes settings(double beta1, double beta2, double eps) {
  return {{"beta1", beta1}, {"beta2", beta2}, {"eps", eps}, {"weight_decay", 0.1}};
}

TEST(AdamwOp, ChecksItsOperands) {
  const Type w = f32({4, 3});
  const Attributes usual = settings(0.9, 0.95, 1e-8);
  EXPECT_EQ(output_types("adamw", {w, w, w, w, f32({3}), f32({1})}, usual), (std::vector<Type>{w, w, w}));
  expect_refused("adamw", {w, w, f32({12}), w, f32({3})}, usual,
                 "adamw: v has weight's shape; expected [4, 3], got [12]");
  expect_refused("adamw", {w, w, w, w, f32({2})}, usual, "adamw: scalars is f32[3]; expected [3], got [2]");
  expect_refused("adamw", {w, w, w, w}, usual, "adamw: wrong number of inputs; expected 5 to 6, got 4");
  expect_refused("adamw", {w, w, w, w, f32({3})}, settings(1.0, 0.95, 1e-8),
                 "adamw: beta1 is out of range; expected 0 or more and below 1, got 1");
  expect_refused("sgd", {w, f32({3, 4}), f32({3})}, {},
                 "sgd: gradient has weight's shape; expected [4, 3], got [3, 4]");
}

TEST(AdamwOp, UpdatesInPlace) {
  GraphUnderTest test;
  const Type type = f32({4, 3});
  const AdamwState state = {test.weight("w", type), test.build.input("w.m", type, Role::optimizer_state),
                            test.build.input("w.v", type, Role::optimizer_state)};
  const ValueId gradient = test.input("g", type);
  const ValueId scalars = test.input("scalars", f32({3}));
  const AdamwState next = adamw(test.build, state, gradient, scalars, kNoValue, {});
  const std::vector<ValueId> roots = storage_roots(test.graph);
  EXPECT_EQ(roots[static_cast<size_t>(next.weight)], state.weight);
  EXPECT_EQ(roots[static_cast<size_t>(next.m)], state.m);
  EXPECT_EQ(roots[static_cast<size_t>(next.v)], state.v);
  EXPECT_EQ(test.graph.value(next.weight).role, Role::weight);
  EXPECT_EQ(test.graph.value(next.v).role, Role::optimizer_state);

  const ValueId by_sgd = sgd(test.build, next.weight, gradient, scalars);
  EXPECT_EQ(storage_roots(test.graph)[static_cast<size_t>(by_sgd)], state.weight);
}

}  // namespace
}  // namespace headroom::testing
