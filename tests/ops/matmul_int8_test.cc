// Op matmul_int8: what it makes, and what it refuses.
#include "headroom/ops/matmul_int8.h"

#include "headroom/base/block_format.h"
#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

TEST(MatmulInt8Op, MakesAProductWithAGroupedWeight) {
  const DType format = find_block_format("int4_g32")->dtype();
  EXPECT_EQ(output_types("matmul_int8", {f32({5, 64}), {format, {7, 64}}}, {})[0], f32({5, 7}));
  expect_refused("matmul_int8", {f32({5, 64}), f32({7, 64})}, {},
                 "matmul_int8: weight is in a grouped format; got f32[7, 64]");
  expect_refused("matmul_int8", {f32({5, 32}), {format, {7, 64}}}, {},
                 "matmul_int8: weight is [N, K] where x is [T, K]; expected [7, 32], got [7, 64]");
  expect_refused(
      "matmul_int8", {f32({5, 48}), {format, {7, 48}}}, {},
      "int4_g32: rows are whole groups; expected a multiple of 32 elements, got [7, 48]; try smaller groups");
}

}  // namespace
}  // namespace headroom::testing
