// Op join_columns: the sentences of its shape rule.
#include "headroom/ops/join_columns.h"

#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

TEST(JoinColumnsOp, ChecksItsOperands) {
  EXPECT_EQ(output_types("join_columns", {f32({2, 3}), f32({2, 5})}, {})[0], f32({2, 8}));
  expect_refused("join_columns", {}, {}, "join_columns: wrong number of inputs; expected 1 to 64, got 0");
  expect_refused("join_columns", {f32({2, 3}), f32({3, 3})}, {},
                 "join_columns: parts have as many rows each; expected 2 rows, got f32[3, 3]");
  expect_refused("join_columns", {i32({2, 3})}, {},
                 "join_columns: parts are f32, bf16 or f16; expected f32, bf16 or f16, got i32[2, 3]");
}

TEST(SplitColumnsOp, ChecksItsOperandsAndIsTheGradientOfJoining) {
  EXPECT_EQ(output_types("split_columns", {f32({2, 8})}, {{"columns", int64_t{3}}})[1], f32({2, 5}));
  expect_refused("split_columns", {f32({2, 8})}, {{"columns", int64_t{8}}},
                 "split_columns: columns are some of x's; expected 1 to 7, got 8");
  GraphUnderTest test;
  const ValueId dy = test.input("dy", f32({5, 9}));
  join_columns(test.build, {test.input("a", f32({5, 2})), test.input("b", f32({5, 3})), test.input("c", f32({5, 4}))});
  EXPECT_EQ(test.gradient({dy}), "split_columns split_columns.2 split_columns.3");
}

}  // namespace
}  // namespace headroom::testing
