// Op dequantize: what it makes, and what it refuses.
#include "headroom/ops/dequantize.h"

#include "headroom/base/block_format.h"
#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

TEST(DequantizeOp, ChecksItsOperand) {
  for (const char* name : {"nf4", "int8"}) {
    EXPECT_EQ(output_types("dequantize", {{find_block_format(name)->dtype(), {7, 11}}}, {})[0], f32({7, 11}));
  }
  expect_refused("dequantize", {f32({7, 11})}, {}, "dequantize: weight is in a block format; got f32[7, 11]");
  expect_refused("dequantize", {{find_block_format("q8_0")->dtype(), {7, 11}}}, {},
                 "q8_0: rows are whole blocks; expected a multiple of 32 elements, got [7, 11]");
}

}  // namespace
}  // namespace headroom::testing
