#include "headroom/base/bytes.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

TEST(Bytes, ReadsEveryUnitExactly) {
  EXPECT_EQ(parse_bytes("512MiB", "--memory"), 512 * kMiB);
  EXPECT_EQ(parse_bytes("7GiB", "--memory"), 7 * kGiB);
  EXPECT_EQ(parse_bytes("24GB", "--memory"), 24'000'000'000);
  EXPECT_EQ(parse_bytes("1.5 KiB", "--memory"), 1536);
  EXPECT_EQ(parse_bytes("4096", "--memory"), 4096);
}

TEST(Bytes, RefusesWhatIsNoSizeNamingTheFlag) {
  for (const char* text : {"", "lots", "-1GiB", "5XB", "1e30GiB", "GiB", "nan", "inf"}) {
    try {
      parse_bytes(text, "--memory");
      FAIL() << text;
    } catch (const InvalidInput& error) {
      EXPECT_NE(std::string(error.what()).find("--memory"), std::string::npos);
    }
  }
}

TEST(Bytes, WritesForPeople) {
  EXPECT_EQ(format_bytes(384), "384 B");
  EXPECT_EQ(format_bytes(1536), "1.50 KiB");
  EXPECT_EQ(format_bytes(-3 * kGiB), "-3.00 GiB");
  EXPECT_EQ(format_bytes_exactly(2 * kMiB), "2.00 MiB (2,097,152 bytes)");
  EXPECT_EQ(format_count(-1234567), "-1,234,567");
  EXPECT_EQ(format_count(123), "123");
}

TEST(Bytes, SizesFromFilesCannotOverflow) {
  EXPECT_EQ(multiply_sizes(1 << 20, 1 << 20, "shape"), int64_t{1} << 40);
  EXPECT_THROW(multiply_sizes(int64_t{1} << 40, int64_t{1} << 40, "shape"), InvalidInput);
  EXPECT_THROW(add_sizes(INT64_MAX, 1, "shape"), InvalidInput);
  EXPECT_THROW(multiply_sizes(-1, 4, "shape"), InvalidInput);
}

}  // namespace
}  // namespace headroom
