#include "headroom/base/convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

TEST(Convert, RoundsToNearestEvenBetweenFormats) {
  const std::vector<double> values = {1.0, 1.00390625, 1.01171875, -2.5, 1e-8, 70000.0};
  std::vector<float> f32(values.size());
  convert_elements(DType::f64, values.data(), DType::f32, f32.data(), 6);
  EXPECT_EQ(f32[1], 1.00390625f);
  std::vector<uint16_t> bf16(values.size());
  convert_elements(DType::f64, values.data(), DType::bf16, bf16.data(), 6);
  // 1 + 1/256 lies half-way and goes down to the even 1, 1 + 3/256 goes up to 1 + 4/256.
  EXPECT_EQ(bf16, (std::vector<uint16_t>{0x3f80, 0x3f80, 0x3f82, 0xc020, 0x322c, 0x4789}));
  std::vector<uint16_t> f16(values.size());
  convert_elements(DType::f32, f32.data(), DType::f16, f16.data(), 6);
  EXPECT_EQ(f16[0], 0x3c00);
  EXPECT_EQ(f16[5], 0x7c00);  // beyond 65504: infinity
  std::vector<double> back(values.size());
  convert_elements(DType::f16, f16.data(), DType::f64, back.data(), 4);
  EXPECT_EQ(back[3], -2.5);
}

TEST(Convert, NeedsNoAlignmentAndCopiesIntegers) {
  alignas(8) char bytes[16] = {};
  const int32_t number = 0x01020304;
  convert_elements(DType::i32, &number, DType::i32, bytes + 1, 1);
  EXPECT_EQ(bytes[1], 4);
  const float one = 1.0f;
  convert_elements(DType::f32, &one, DType::bf16, bytes + 3, 1);
  float back = 0;
  convert_elements(DType::bf16, bytes + 3, DType::f32, &back, 1);
  EXPECT_EQ(back, 1.0f);
  EXPECT_ERROR(InternalError, "no way from i32 to f32", convert_elements(DType::i32, &number, DType::f32, bytes, 1));
}

TEST(Convert, FindsTheFirstNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values = {1, std::numeric_limits<float>::infinity(), nan, nan};
  EXPECT_EQ(find_nan(DType::f32, values.data(), 4), 2);
  EXPECT_EQ(find_nan(DType::f32, values.data(), 2), -1);
  for (const DType dtype : {DType::f64, DType::bf16, DType::f16}) {
    std::vector<double> stored(4);
    convert_elements(DType::f32, values.data(), dtype, stored.data(), 4);
    EXPECT_EQ(find_nan(dtype, stored.data(), 4), 2) << name_of(dtype);
  }
}

TEST(Convert, FindsWhatAFormatCannotHold) {
  std::vector<float> values(5000, 1.0f);
  std::vector<uint16_t> halves(5000);
  const auto find = [&] {
    convert_elements(DType::f32, values.data(), DType::f16, halves.data(), 5000);
    return find_overflow(DType::f32, values.data(), DType::f16, halves.data(), 5000);
  };
  EXPECT_EQ(find(), -1);
  values[10] = -65519.0f;  // rounds to the largest
  values[20] = std::numeric_limits<float>::infinity();
  values[30] = std::nanf("");
  EXPECT_EQ(find(), -1);
  values[4999] = -65520.0f;
  EXPECT_EQ(find(), 4999);
  values[1500] = 1e6f;
  EXPECT_EQ(find(), 1500);
}

// In runs and one by one, and where runs end.
TEST(Convert, FindsTheFirstNanOfAnyFormat) {
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16}) {
    for (const int64_t place : {0, 5, 1023, 1024, 2047, 2050}) {
      std::vector<double> values(2051, -std::numeric_limits<double>::infinity());
      for (int64_t i = place; i < 2051; i += 3) values[static_cast<size_t>(i)] = -std::nan("");
      std::vector<std::byte> stored(values.size() * 8);
      convert_elements(DType::f64, values.data(), dtype, stored.data(), 2051);
      EXPECT_EQ(find_nan(dtype, stored.data(), 2051), place);
      EXPECT_EQ(find_nan(dtype, stored.data(), place), -1);
    }
  }
}

}  // namespace
}  // namespace headroom
