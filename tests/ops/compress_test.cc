// Ops compress and decompress: types, bytes, the sentences of their rules.
#include "headroom/ops/compress.h"

#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

Attributes bits(int64_t bits, int64_t features = 768) {
  return {{"bits", bits}, {"site", int64_t{1}}, {"features", features}};
}

TEST(CompressOp, TakesSevenAndAHalfTimesLessOfFourBits) {
  const Type x = f32({2048, 768});
  const auto share = [&](int64_t of) {
    int64_t bytes = 0;
    for (const Type& type : compressed_types(x, of)) bytes += type.bytes();
    return static_cast<double>(x.bytes()) / static_cast<double>(bytes);
  };
  EXPECT_NEAR(share(4), 4096.0 / 528, 1e-9);  // 7.76
  EXPECT_NEAR(share(8), 4096.0 / 1040, 1e-9);
  EXPECT_EQ(share(16), 2);
}

TEST(CompressOp, ChecksItsOperands) {
  const Type x = f32({10, 300});
  EXPECT_EQ(output_types("compress", {x, i32({4}), i32({2})}, bits(4)),
            (std::vector<Type>{u8({10, 150}), {DType::bf16, {10, 3}}}));
  EXPECT_EQ(output_types("compress", {x}, bits(16)), (std::vector<Type>{{DType::bf16, {10, 300}}}));
  EXPECT_EQ(output_types("decompress", {u8({10, 150}), {DType::bf16, {10, 3}}}, bits(4, 300)), (std::vector<Type>{x}));
  expect_refused("compress", {x, i32({4}), i32({2})}, bits(5), "compress: bits is 5; expected 4, 8 or 16");
  expect_refused("compress", {x}, bits(8), "compress: wrong number of inputs; expected 3, got 1");
  expect_refused("compress", {x, i32({4}), i32({3})}, bits(8), "compress: rows is i32[2]; expected [2], got [3]");
  expect_refused("decompress", {u8({10, 150}), {DType::bf16, {10, 3}}}, bits(8, 300),
                 "decompress: codes are of T rows and F features; expected [10, 300], got [10, 150]");
}

}  // namespace
}  // namespace headroom::testing
