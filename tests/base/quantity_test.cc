#include "headroom/base/quantity.h"

#include <gtest/gtest.h>

namespace headroom {
namespace {

TEST(Quantity, SecondsHaveAUnitThatSuitsThemAndNoExponent) {
  EXPECT_EQ(format_seconds(0), "0 us");
  EXPECT_EQ(format_seconds(3.21e-5), "32.1 us");
  EXPECT_EQ(format_seconds(6.013e-4), "601 us");
  EXPECT_EQ(format_seconds(0.0015301), "1.53 ms");
  EXPECT_EQ(format_seconds(0.25), "250 ms");
  EXPECT_EQ(format_seconds(1.614), "1.61 s");
  EXPECT_EQ(format_seconds(99.6), "99.6 s");
  EXPECT_EQ(format_seconds(1640), "27 min 20 s");
  EXPECT_EQ(format_seconds(3720), "1 h 02 min");
  EXPECT_EQ(format_seconds(1e8), "27,777 h 46 min");
}

TEST(Quantity, AmountsHaveThreeDigits) {
  EXPECT_EQ(format_amount(0, "flop"), "0 flop");
  EXPECT_EQ(format_amount(12, "B"), "12 B");
  EXPECT_EQ(format_amount(49.74e9, "flop"), "49.7 Gflop");
  EXPECT_EQ(format_amount(1.54e9, "B"), "1.54 GB");
  EXPECT_EQ(format_amount(999.9e6, "B"), "1.00 GB");
  EXPECT_EQ(format_amount(5.1e18, "flop"), "5100 Pflop");
}

TEST(Quantity, ParametersAreCountedInWordsOnceTheyAreMany) {
  EXPECT_EQ(format_parameters(1), "1 parameter");
  EXPECT_EQ(format_parameters(299'520), "299,520 parameters");
  EXPECT_EQ(format_parameters(4'100'000), "4.10 million parameters");
  EXPECT_EQ(format_parameters(124'000'000), "124 million parameters");
  EXPECT_EQ(format_parameters(999'900'000), "1.00 billion parameters");
  EXPECT_EQ(format_parameters(67'420'000'000), "67.4 billion parameters");
}

}  // namespace
}  // namespace headroom
