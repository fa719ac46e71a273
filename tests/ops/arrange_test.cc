// Op arrange: the sentences of its shape rule.
#include "headroom/ops/arrange.h"

#include "headroom/base/grouped_format.h"
#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

TEST(ArrangeOp, ChecksItsOperands) {
  const Attributes in_order = {{"head_rows", int64_t{0}}};
  const Attributes heads = {{"head_rows", int64_t{8}}};
  const Type blocks = {q8_blocks(), {24, 128}};
  const Type grouped = {find_grouped(8, false, 32)->dtype(), {24, 128}};
  EXPECT_EQ(output_types("arrange", {blocks}, heads)[0], grouped);
  EXPECT_EQ(output_types("arrange", {{DType::bf16, {24, 100}}}, heads)[0], (Type{DType::bf16, {24, 100}}));
  const Type large = {find_block_format("q6_k")->dtype(), {24, 256}};
  EXPECT_EQ(output_types("arrange", {large}, heads)[0], large);
  expect_refused("arrange", {{q8_blocks(), {24, 96}}}, in_order,
                 "arrange: rows lie one behind the other, of q8_0 and q4_0 with a multiple of 64 columns; got q8_0[24, "
                 "96]");
  expect_refused("arrange", {grouped}, in_order,
                 "arrange: rows lie one behind the other, of q8_0 and q4_0 with a multiple of 64 columns; got "
                 "int8_g32[24, 128]");
  expect_refused("arrange", {f32({20, 4})}, heads, "arrange: f32[20, 4] is no whole number of heads of 8 rows");
}

TEST(ArrangeOp, SaysWhatComesOfBlocks) {
  const DType q4 = find_block_format("q4_0")->dtype(), q6 = find_block_format("q6_k")->dtype();
  EXPECT_TRUE(comes_of(q8_blocks(), {find_grouped(8, false, 32)->dtype(), {4, 64}}));
  EXPECT_FALSE(comes_of(q8_blocks(), {find_grouped(8, false, 32)->dtype(), {4, 96}}));
  EXPECT_FALSE(comes_of(q8_blocks(), {find_grouped(8, false, 64)->dtype(), {4, 64}}));
  EXPECT_FALSE(comes_of(q8_blocks(), {DType::f32, {4, 64}}));
  EXPECT_TRUE(comes_of(q4, {find_grouped(4, false, 32)->dtype(), {4, 64}}));
  EXPECT_FALSE(comes_of(q4, {q4, {4, 64}}));
  EXPECT_TRUE(comes_of(q6, {q6, {4, 256}}));
  EXPECT_FALSE(comes_of(find_grouped(4, false, 32)->dtype(), {find_grouped(4, false, 32)->dtype(), {4, 64}}));
}

}  // namespace
}  // namespace headroom::testing
