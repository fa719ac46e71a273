// Ops dequantize_nf4 and dequantize_int8: the parts that a weight is kept as, and what does not fit it.
#include "headroom/ops/dequantize.h"

#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

// 4.127 bits an element for a weight of any size that matters, and 8.5.
TEST(DequantizeOp, PartsHaveTheBitsThatTheyShould) {
  const Shape shape = {4096, 11008};
  for (const auto& [bits, expected] : {std::pair{4, 4.127}, {8, 8.5}}) {
    int64_t bytes = 0;
    for (const QuantizedPart& part : quantized_parts("w", shape, bits)) bytes += part.type.bytes();
    EXPECT_NEAR(8.0 * static_cast<double>(bytes) / static_cast<double>(shape.elements()), expected, 1e-3);
  }
}

TEST(DequantizeOp, ChecksItsOperands) {
  const Attributes attributes = {{"rows", int64_t{7}}, {"columns", int64_t{11}}};
  EXPECT_EQ(output_types("dequantize_nf4", {u8({39}), u8({2}), f32({2})}, attributes)[0], f32({7, 11}));
  EXPECT_EQ(output_types("dequantize_int8", {u8({77}), f32({2})}, attributes)[0], f32({7, 11}));
  expect_refused("dequantize_nf4", {u8({38}), u8({2}), f32({2})}, attributes,
                 "dequantize_nf4: weight.nf4 is that of [7, 11]; expected [39], got [38]");
  expect_refused("dequantize_int8", {u8({77}), f32({1})}, attributes,
                 "dequantize_int8: weight.int8_scales is that of [7, 11]; expected [2], got [1]");
}

}  // namespace
}  // namespace headroom::testing
