#include <gtest/gtest.h>

#include "tests/techniques/read_settings.h"

namespace headroom {
namespace {

using testing::read_settings;
using testing::refusal_of;

TEST(MixedPrecision, OnlyF16ScalesTheLoss) {
  EXPECT_FALSE(read_settings({{"--precision", "bf16"}}).loss_scale);
  const TrainingSettings settings = read_settings({{"--precision", "f16"}, {"--loss-scale", "1024"}});
  EXPECT_EQ(settings.loss_scale->fixed, 1024);
  EXPECT_TRUE(settings.updates.loss_scaled);
  EXPECT_EQ(settings.shape.precision, DType::f16);
}

TEST(MixedPrecision, LossScalesAreChecked) {
  for (const char* scale : {"", "high", "0", "-1", "1e99", "inf", "nan", "8x", "1e-60"}) {
    EXPECT_EQ(refusal_of({{"--precision", "f16"}, {"--loss-scale", scale}}),
              std::string("--loss-scale ") + scale + ": expected dynamic, or a number above 0");
  }
  EXPECT_NE(refusal_of({{"--precision", "f16"}, {"--loss-scale-hysteresis", "0"}}), "");
  EXPECT_NE(refusal_of({{"--precision", "f16"}, {"--loss-scale", "64"}, {"--loss-scale-hysteresis", "2"}}), "");
}

}  // namespace
}  // namespace headroom
