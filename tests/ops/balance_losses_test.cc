#include "headroom/ops/balance_losses.h"

#include <limits>

#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

Attributes balance(double alpha) { return {{"scoring", int64_t{1}}, {"alpha", alpha}}; }

TEST(BalanceLossesOp, ChecksItsOperands) {
  const Type logits = f32({6, 8}), choice = i32({6, 2}), sequences = i32({3, 4});
  EXPECT_EQ(output_types("balance_losses", {logits, choice, sequences}, balance(0.1))[0], f32({6}));
  expect_refused("balance_losses", {logits, i32({5, 2}), sequences}, balance(0.1),
                 "balance_losses: choice is i32[T, K] where logits is [T, E]; expected [6, 2], got [5, 2]");
  expect_refused("balance_losses", {logits, choice, i32({3, 3})}, balance(0.1),
                 "balance_losses: sequences is i32[B, 4]; expected [3, 4], got [3, 3]");
  expect_refused("balance_losses", {logits, choice, sequences}, balance(std::numeric_limits<double>::infinity()),
                 "balance_losses: alpha is no number");
  expect_refused("balance_losses", {f32({6, 5000}), choice, sequences}, balance(0.1),
                 "balance_losses: 2 of 5000 experts chosen; expected 1 or more of 1 to 4096");
  expect_refused("balance_losses_backward", {logits, choice, sequences, f32({6})}, balance(0.1),
                 "balance_losses_backward: scale is f32[1]; expected [1], got [6]");
}

TEST(BalanceLossesOp, GradientFlowsIntoTheLogitsAlone) {
  GraphUnderTest test;
  const ValueId scale = test.input("scale", f32({1}));
  balance_losses(test.build, test.input("logits", f32({6, 8})), test.input("choice", i32({6, 2})),
                 test.input("sequences", i32({3, 4})), Scoring::sigmoid, 0.1);
  EXPECT_EQ(test.gradient({scale}), "balance_losses_backward - -");
}

}  // namespace
}  // namespace headroom::testing
