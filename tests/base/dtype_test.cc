#include "headroom/base/dtype.h"

#include <gtest/gtest.h>

#include <cmath>

namespace headroom {
namespace {

// The rounding rule itself, by search: the candidate nearest to the value, the even one of two.
template <class ToFloat>
float nearest(double value, ToFloat to_float, uint16_t largest) {
  uint16_t low = 0;
  uint16_t high = largest;
  while (high - low > 1) {
    const uint16_t middle = static_cast<uint16_t>((low + high) / 2);
    (to_float(middle) <= value ? low : high) = middle;
  }
  const double below = value - to_float(low);
  const double above = to_float(high) - value;
  if (below == above) return to_float(low % 2 == 0 ? low : high);
  return to_float(below < above ? low : high);
}

TEST(DType, HalvesReadBackToThemselves) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float half = f16_to_f32(static_cast<uint16_t>(bits));
    if (std::isnan(half)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(half))));
    } else {
      EXPECT_EQ(f32_to_f16(half), bits);
    }
    const float brain = bf16_to_f32(static_cast<uint16_t>(bits));
    if (std::isnan(brain)) {
      EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(brain))));
    } else {
      EXPECT_EQ(f32_to_bf16(brain), bits);
    }
  }
}

TEST(DType, RoundsToNearestEven) {
  uint32_t state = 1;
  for (int i = 0; i < 200000; ++i) {
    state = state * 1664525u + 1013904223u;
    const float value = std::fabs(std::bit_cast<float>(state));
    if (value <= 65504.0f) {
      EXPECT_EQ(f16_to_f32(f32_to_f16(value)), nearest(value, f16_to_f32, 0x7bff)) << value;
    }
    if (value < 3e38f) {
      EXPECT_EQ(bf16_to_f32(f32_to_bf16(value)), nearest(value, bf16_to_f32, 0x7f7f)) << value;
    }
  }
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {  // every tie between two halves
    const double low = f16_to_f32(static_cast<uint16_t>(bits));
    const double high = f16_to_f32(static_cast<uint16_t>(bits + 1));
    EXPECT_EQ(f32_to_f16(static_cast<float>((low + high) / 2)), bits % 2 == 0 ? bits : bits + 1);
  }
  EXPECT_EQ(f32_to_f16(65519.0f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
}

}  // namespace
}  // namespace headroom
