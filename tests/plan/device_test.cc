#include "headroom/plan/device.h"

#include <gtest/gtest.h>

#include <set>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

TEST(Device, IsFoundUnderTheNamesThatTheDriverPrints) {
  EXPECT_EQ(find_device("h200").memory_bytes, 143771 * kMiB);
  EXPECT_EQ(find_device("NVIDIA H200").name, "h200");
  EXPECT_EQ(find_device("NVIDIA GeForce RTX 4090").name, "rtx-4090");
  EXPECT_EQ(find_device("rtx4090").name, "rtx-4090");
  EXPECT_EQ(find_device("NVIDIA A100-SXM4-80GB").name, "a100-80gb");
  EXPECT_EQ(find_device("NVIDIA H100 80GB HBM3").name, "h100");
  EXPECT_EQ(find_device("NVIDIA H200 MIG 1g.18gb").memory_bytes, 16 * kGiB);
  EXPECT_EQ(find_device("NVIDIA A100-SXM4-80GB MIG 1g.10gb").name, "a100-80gb-1g.10gb");
  EXPECT_EQ(find_device("H100-3g.40gb").name, "h100-3g.40gb");
}

TEST(Device, OfAnotherNameIsRefusedWithTheKnownOnes) {
  try {
    find_device("a100");
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("--device a100: unknown device; expected one of rtx-3090, "));
  }
}

// A slice has no more of anything than its card, and what the profile's name says of memory, in units of 10^9 bytes or
// fewer.
TEST(Device, SlicesAreSmallerThanTheirCards) {
  std::set<std::string> names;
  for (const Device& device : devices()) {
    EXPECT_TRUE(names.insert(device.name).second) << device.name;
    EXPECT_GT(device.usable_bytes(), 4 * kGiB);
    const size_t profile = device.name.find("g.");
    if (profile == std::string::npos) continue;
    const Device& card = find_device(device.name.substr(0, device.name.rfind('-')));
    EXPECT_LT(device.memory_bytes, card.memory_bytes) << device.name;
    EXPECT_LE(device.memory_bytes_per_second, card.memory_bytes_per_second);
    EXPECT_LE(device.bf16_flops_per_second, card.bf16_flops_per_second);
    const double named = std::stod(device.name.substr(profile + 2)) * 1e9;
    EXPECT_NEAR(static_cast<double>(device.memory_bytes), named, 0.08 * named) << device.name;
  }
}

TEST(Device, TableHasALineForEach) {
  const std::string table = device_table();
  EXPECT_EQ(static_cast<size_t>(std::count(table.begin(), table.end(), '\n')), devices().size() + 2);
  EXPECT_NE(table.find("rtx-4090                  24,564       1008     82.6     82.6    165.2      31.5\n"),
            std::string::npos);
}

}  // namespace
}  // namespace headroom
