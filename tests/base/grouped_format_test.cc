// Grouped formats: where each code lies, held against the drawing in docs/weight_formats.md, and what rounding loses.
#include "headroom/base/grouped_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/base/page.h"

namespace headroom {
namespace {

std::vector<float> normal_numbers(int64_t count) {
  std::mt19937 engine(7);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  std::vector<float> numbers(static_cast<size_t>(count));
  for (float& number : numbers) number = normal(engine);
  return numbers;
}

std::vector<std::byte> encoded(const GroupedFormat& format, const Shape& shape, std::span<const float> numbers) {
  std::vector<std::byte> tensor(static_cast<size_t>(format.bytes(shape)), std::byte{0xee});
  EXPECT_EQ(format.encode(shape, 0, numbers, tensor.data(), {}), -1);
  format.finish(shape, tensor.data(), {});
  return tensor;
}

std::vector<float> decoded(const GroupedFormat& format, const Shape& shape, const std::vector<std::byte>& tensor) {
  std::vector<float> numbers(static_cast<size_t>(shape.elements()));
  format.decode(shape, tensor.data(), 0, shape.elements(), numbers.data());
  return numbers;
}

std::vector<const GroupedFormat*> all_formats() {
  std::vector<const GroupedFormat*> formats;
  for (const int bits : {2, 3, 4, 8}) {
    for (const bool zeros : {false, true}) {
      for (const int64_t group : {0, 32, 64, 128}) formats.push_back(find_grouped(bits, zeros, group));
    }
  }
  return formats;
}

// Read off the drawing, not by the layout's own functions.
TEST(GroupedFormat, LiesInPanelsAsDrawn) {
  const Shape shape = {35, 256};
  const std::vector<float> numbers = normal_numbers(shape.elements());
  for (const GroupedFormat* format : all_formats()) {
    ASSERT_NE(format, nullptr);
    SCOPED_TRACE(format->name());
    const std::vector<std::byte> tensor = encoded(*format, shape, numbers);
    const auto* bytes = reinterpret_cast<const uint8_t*>(tensor.data());
    const int b = format->bits();
    const int64_t groups = format->group() == 0 ? 1 : 256 / format->group();
    const int64_t codes_bytes = 16 * 256 * b / 8;
    const int64_t used = codes_bytes + 32 * groups + (format->has_zeros() ? 16 * groups : 0);
    const int64_t panel_bytes = (used + 63) / 64 * 64;
    EXPECT_EQ(format->bytes(shape), (3 * panel_bytes + kPageBytes - 1) / kPageBytes * kPageBytes);
    const std::vector<float> values = decoded(*format, shape, tensor);
    for (int64_t n = 0; n < 35; ++n) {
      const uint8_t* panel = bytes + n / 16 * panel_bytes;
      for (int64_t k = 0; k < 256; ++k) {
        const int64_t in_line = 4 * (n % 16) + k % 4;
        int code = 0;
        if (b == 8) code = panel[k / 4 * 64 + in_line];
        if (b == 4) code = panel[k / 8 * 64 + in_line] >> (k / 4 % 2 * 4) & 15;
        if (b == 2 || b == 3) code = panel[k / 16 * 64 + in_line] >> (k / 4 % 4 * 2) & 3;
        if (b == 3) code |= (panel[256 * 4 + k / 32 * 64 + in_line] >> (k / 4 % 8) & 1) << 2;
        const int64_t group = k * groups / 256;
        uint16_t scale;
        std::memcpy(&scale, panel + codes_bytes + 2 * (group * 16 + n % 16), 2);
        const int zero = format->has_zeros() ? panel[codes_bytes + 32 * groups + group * 16 + n % 16] : 1 << (b - 1);
        ASSERT_EQ(values[static_cast<size_t>(n * 256 + k)], static_cast<float>(code - zero) * f16_to_f32(scale))
            << n << ", " << k;
      }
    }
    for (int64_t n = 35; n < 48; ++n) EXPECT_EQ(bytes[2 * panel_bytes + 4 * (n % 16)], 0);
  }
}

// Half a step, but for the side on which an int format has one code less, and where f16 rounds the scale.
TEST(GroupedFormat, RoundingLosesAtMostAStep) {
  const Shape shape = {32, 256};
  const std::vector<float> numbers = normal_numbers(shape.elements());
  for (const GroupedFormat* format : all_formats()) {
    SCOPED_TRACE(format->name());
    const std::vector<float> values = decoded(*format, shape, encoded(*format, shape, numbers));
    const GroupedLayout layout(*format, shape);
    double squares = 0, lost = 0;
    for (int64_t begin = 0; begin < shape.elements(); begin += layout.group) {
      const std::span<const float> group(numbers.data() + begin, static_cast<size_t>(layout.group));
      const auto [low, high] = std::minmax_element(group.begin(), group.end());
      const float range = format->has_zeros() ? *high - *low : 2 * std::max(-*low, *high);
      const float step = range / static_cast<float>((1 << format->bits()) - (format->has_zeros() ? 1 : 0));
      for (int64_t i = begin; i < begin + layout.group; ++i) {
        const float error = std::fabs(values[static_cast<size_t>(i)] - numbers[static_cast<size_t>(i)]);
        EXPECT_LE(error, step * (format->has_zeros() ? 0.56f : 1.06f));
        lost += static_cast<double>(error) * static_cast<double>(error);
        squares +=
            static_cast<double>(numbers[static_cast<size_t>(i)]) * static_cast<double>(numbers[static_cast<size_t>(i)]);
      }
    }
    const double most[] = {0, 0, 0.6, 0.3, 0.13, 0, 0, 0, 0.009};
    EXPECT_LT(std::sqrt(lost / squares), most[format->bits()]);
  }
}

// One number by the sentence in docs/weight_formats.md.
int code_by_definition(float x, float scale, int zero, int bits) {
  if (scale == 0) return zero;
  const float code = std::nearbyint(x / scale) + static_cast<float>(zero);
  return static_cast<int>(std::clamp(code, 0.0f, static_cast<float>((1 << bits) - 1)));
}

// Groups of many magnitudes, ties among them, and halves of a step; scales that f16 makes denormal or 0.
TEST(GroupedFormat, CodesAreThoseOfTheDefinition) {
  const Shape shape = {19, 256};
  std::vector<float> numbers = normal_numbers(shape.elements());
  for (size_t i = 0; i < numbers.size(); ++i) {
    const size_t group = i / 32;
    if (group % 7 == 1) numbers[i] = std::nearbyint(numbers[i] * 100) / 16;
    if (group % 7 == 2) numbers[i] = i % 2 == 0 ? -0.5f : 0.5f;
    if (group % 7 == 3) numbers[i] *= 1e-6f;
    if (group % 7 == 4) numbers[i] = i % 3 == 0 ? -0.0f : numbers[i] * 1e-9f;
    if (group % 7 == 5) numbers[i] = std::fabs(numbers[i]) * 1e4f;
    if (group % 7 == 6) numbers[i] = -0.0f;
  }
  for (const GroupedFormat* format : all_formats()) {
    SCOPED_TRACE(format->name());
    const GroupedLayout layout(*format, shape);
    const std::vector<std::byte> tensor = encoded(*format, shape, numbers);
    const int bits = format->bits();
    for (int64_t begin = 0; begin < shape.elements(); begin += layout.group) {
      const std::span<const float> group(numbers.data() + begin, static_cast<size_t>(layout.group));
      float largest = 0, low = 0, high = 0;
      for (const float x : group) {
        largest = std::fabs(x) > std::fabs(largest) ? x : largest;
        low = std::min(low, x);
        high = std::max(high, x);
      }
      const float range = format->has_zeros() ? (high - low) / static_cast<float>((1 << bits) - 1)
                                              : -largest / static_cast<float>(1 << (bits - 1));
      const float scale = f16_to_f32(f32_to_f16(range));
      int zero = 1 << (bits - 1);
      if (format->has_zeros()) zero = scale > 0 ? code_by_definition(-low, scale, 0, bits) : 0;
      for (int64_t i = begin; i < begin + layout.group; ++i) {
        const auto [code, of_group] = format->element(shape, tensor.data(), i / 256, i % 256);
        ASSERT_EQ(std::bit_cast<uint32_t>(of_group), std::bit_cast<uint32_t>(scale)) << i;
        ASSERT_EQ(code + zero, code_by_definition(numbers[static_cast<size_t>(i)], scale, zero, bits)) << i;
      }
    }
  }
}

TEST(GroupedFormat, GroupsOfZerosStayZero) {
  const Shape shape = {16, 128};
  const std::vector<float> zeros(static_cast<size_t>(shape.elements()));
  for (const GroupedFormat* format : all_formats()) {
    EXPECT_EQ(decoded(*format, shape, encoded(*format, shape, zeros)), zeros) << format->name();
  }
}

TEST(GroupedFormat, WhatCannotBeKeptIsFound) {
  const Shape shape = {16, 128};
  const GroupedFormat& format = *find_grouped(4, false, 64);
  for (const float wrong : {std::numeric_limits<float>::infinity(), 1e9f}) {
    std::vector<float> numbers = normal_numbers(shape.elements());
    numbers[3 * 128 + 70] = wrong;
    std::vector<std::byte> tensor(static_cast<size_t>(format.bytes(shape)));
    EXPECT_EQ(format.encode(shape, 0, numbers, tensor.data(), {}), 3 * 128 + 64);
  }
  try {
    (void)format.bytes({16, 96});
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_STREQ(
        error.what(),
        "int4_g64: rows are whole groups; expected a multiple of 64 elements, got [16, 96]; try smaller groups");
  }
  EXPECT_EQ(find_grouped(5, false, 64), nullptr);
}

// 4.125 bits an element in groups of 128, 4.5 in groups of 32.
TEST(GroupedFormat, TakesTheBitsThatItSays) {
  const Shape shape = {4096, 11008};
  const double elements = static_cast<double>(shape.elements());
  for (const auto& [format, bits] : {std::pair{find_grouped(4, false, 128), 4.125},
                                     {find_grouped(4, false, 32), 4.5},
                                     {find_grouped(8, true, 128), 8.1875},
                                     {find_grouped(3, false, 64), 3.25},
                                     {find_grouped(8, false, 0), 8.0015}}) {
    EXPECT_NEAR(8.0 * static_cast<double>(format->bytes(shape)) / elements, bits, 0.003) << format->name();
  }
}

}  // namespace
}  // namespace headroom
