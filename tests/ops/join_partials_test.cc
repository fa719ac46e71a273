// Op join_partials: the sentences of its shape rule, and the storage it promises.
#include "headroom/ops/join_partials.h"

#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

TEST(JoinPartialsOp, ChecksItsOperands) {
  const Attributes attributes = {{"add", int64_t{0}}};
  EXPECT_EQ(output_types("join_partials", {f32({2, 3}), f32({2, 3}), f32({2, 3})}, attributes)[0], f32({2, 3}));
  expect_refused("join_partials", {f32({6})}, attributes,
                 "join_partials: wrong number of inputs; expected 2 to 65, got 1");
  expect_refused("join_partials", {f32({6}), f32({6}), f32({2, 3})}, attributes,
                 "join_partials: a part has target's shape; expected [6], got [2, 3]");
  expect_refused("join_partials", {i32({6}), i32({6})}, attributes,
                 "join_partials: target is f32; expected f32, got i32[6]");
}

TEST(JoinPartialsOp, TakesTheTargetsStorageAndRole) {
  GraphUnderTest test;
  const ValueId target = test.build.input("target", f32({5}), Role::gradient);
  const ValueId joined = join_partials(test.build, target, {test.input("x", f32({5}))});
  EXPECT_EQ(test.build.graph().value(joined).role, Role::gradient);
  EXPECT_EQ(storage_roots(test.build.graph())[static_cast<size_t>(joined)], target);
}

}  // namespace
}  // namespace headroom::testing
