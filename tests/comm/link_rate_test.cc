#include "headroom/comm/link_rate.h"

#include <gtest/gtest.h>

#include "headroom/base/bytes.h"

namespace headroom {
namespace {

TEST(LinkRate, IsMeasuredInMemoryThatThePartsOfTheModelTakeLater) {
  EXPECT_EQ(link_probe_bytes(1'000'000'000, 1), 0);  // one rank measures nothing
  EXPECT_EQ(link_probe_bytes(1000, 2), 2 * kMiB);
  EXPECT_EQ(link_probe_bytes(8 * kMiB, 2), 8 * kMiB);
  EXPECT_EQ(link_probe_bytes(8 * kMiB, 4), 4 * kMiB);
  EXPECT_EQ(link_probe_bytes(7'000'000'000, 2), 32 * kMiB);
}

}  // namespace
}  // namespace headroom
