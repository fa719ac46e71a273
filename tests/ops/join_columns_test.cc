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
  expect_refused("join_columns", {i32({2, 3})}, {}, "join_columns: parts are f32; expected f32, got i32[2, 3]");
}

}  // namespace
}  // namespace headroom::testing
