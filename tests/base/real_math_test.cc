#include "headroom/base/real_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace headroom {
namespace {

// long double libm is the oracle: 64 bits of mantissa.
TEST(RealMath, AgreesWithLongDoubleTo1e15) {
  for (int i = -4000; i <= 4000; ++i) {
    const double x = i * 0.1737 + 1e-3;
    const auto close = [&](double got, long double expected, double scale) {
      EXPECT_NEAR(got, static_cast<double>(expected), 1.2e-15 * scale) << x;
    };
    close(real::exp(x), std::exp(static_cast<long double>(x)),
          static_cast<double>(std::exp(static_cast<long double>(x))));
    close(real::sin(x), std::sin(static_cast<long double>(x)), 1.0);
    close(real::cos(x), std::cos(static_cast<long double>(x)), 1.0);
    close(real::cos(x * 1000), std::cos(static_cast<long double>(x * 1000)), 1.0);
    const double positive = std::exp(x / 2);
    close(real::log(positive), std::log(static_cast<long double>(positive)), std::max(1.0, std::fabs(x / 2)));
  }
  for (int i = 0; i <= 64; ++i) {
    EXPECT_NEAR(static_cast<double>(real::pow(100000.0, -i / 64.0) * std::pow(100000.0L, i / 64.0L)), 1.0, 4e-15);
    EXPECT_NEAR(static_cast<double>(real::pow(0.95, i) / std::pow(0.95L, i)), 1.0, 5e-15);
  }
}

TEST(RealMath, Edges) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(real::exp(0.0), 1.0);
  EXPECT_EQ(real::exp(-infinity), 0.0);
  EXPECT_EQ(real::exp(infinity), infinity);
  EXPECT_TRUE(std::isnan(real::exp(std::nan(""))));
  EXPECT_GT(real::exp(-744.0), 0.0);  // denormal
  EXPECT_EQ(real::log(1.0), 0.0);
  EXPECT_EQ(real::log(0.0), -infinity);
  EXPECT_TRUE(std::isnan(real::log(-1.0)));
  EXPECT_EQ(real::cos(0.0), 1.0);
  EXPECT_EQ(real::sin(0.0), 0.0);
}

}  // namespace
}  // namespace headroom
