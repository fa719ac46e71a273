// Op kl_divergence: the sentences of its shape rule.
#include "headroom/ops/kl_divergence.h"

#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

TEST(KlDivergenceOp, ChecksItsOperands) {
  EXPECT_EQ(output_types("kl_divergence", {f32({5, 9}), f32({5}), f32({5, 9}), f32({5})})[0], f32({5}));
  expect_refused("kl_divergence", {f32({5, 9}), f32({4}), f32({5, 9}), f32({5})}, {},
                 "kl_divergence: reference_lse is f32[T] where reference is [T, V]; expected [5], got [4]");
  expect_refused("kl_divergence", {f32({5, 9}), f32({5}), f32({5, 8}), f32({5})}, {},
                 "kl_divergence: logits are f32[T, V] where reference is [T, V]; expected [5, 9], got [5, 8]");
  expect_refused("kl_divergence", {f32({5, 9}), f32({5}), f32({5, 9}), i32({5})}, {},
                 "kl_divergence: lse is f32[T] where reference is [T, V]; expected f32, got i32[5]");
  expect_refused("kl_divergence", {f32({5, 0}), f32({5}), f32({5, 0}), f32({5})}, {},
                 "kl_divergence: reference is [T, V]; expected V of 1 or more, got 0");
}

}  // namespace
}  // namespace headroom::testing
