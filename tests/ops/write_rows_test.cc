// Ops write_rows and zero: the sentences of the shape rule, storage and role.
#include "headroom/ops/write_rows.h"

#include "headroom/ops/zero.h"
#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

TEST(WriteRowsOp, ChecksItsOperands) {
  EXPECT_EQ(output_types("write_rows", {f32({20, 8}), f32({3, 8}), i32({2})})[0], f32({20, 8}));
  EXPECT_EQ(output_types("write_rows", {f32({20, 8}), f32({3, 8}), i32({3, 2})})[0], f32({20, 8}));
  EXPECT_EQ(output_types("write_rows", {f64({20}), f64({3}), i32({2})})[0], f64({20}));
  expect_refused("write_rows", {f32({20, 8}), f32({3, 9}), i32({2})}, {},
                 "write_rows: rows is [T, F] where target is [C, F], in its dtype or rounded from f32; expected [3, "
                 "8], got [3, 9]");
  expect_refused("write_rows", {f32({20, 8}), {DType::bf16, {3, 8}}, i32({2})}, {},
                 "write_rows: rows is [T, F] where target is [C, F], in its dtype or rounded from f32; expected f32, "
                 "got bf16[3, 8]");
  expect_refused("write_rows", {f32({2, 20, 8}), f32({3, 8}), i32({2})}, {},
                 "write_rows: target is [C, F] or [C]; expected 1 or 2 dimensions, got [2, 20, 8]");
  expect_refused("write_rows", {f32({20, 8}), f32({3, 8}), i32({3})}, {},
                 "write_rows: range is i32[2] or i32[R, 2]; expected [2], got [3]");
}

TEST(WriteRowsOp, KeepsTheTargetsStorageAndRole) {
  GraphUnderTest test;
  const ValueId cache = test.build.input("cache", f32({20, 8}), Role::kv_cache);
  const ValueId next = write_rows(test.build, cache, test.input("rows", f32({3, 8})), test.input("range", i32({2})));
  const ValueId cleared = zero(test.build, next);
  EXPECT_EQ(storage_roots(test.graph)[static_cast<size_t>(cleared)], cache);
  EXPECT_EQ(test.graph.value(next).role, Role::kv_cache);
  EXPECT_EQ(test.graph.value(cleared).role, Role::kv_cache);
}

}  // namespace
}  // namespace headroom::testing
