#include "headroom/base/interleaved_rows.h"

#include <gtest/gtest.h>

#include <vector>

namespace headroom {
namespace {

TEST(InterleavedRows, PutHalvesOfAHeadSideBySide) {
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < 16; ++row) rows.push_back(interleaved_row(row, 8));
  EXPECT_EQ(rows, (std::vector<int64_t>{0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15}));
  for (int64_t row = 0; row < 16; ++row) EXPECT_EQ(halved_row(rows[static_cast<size_t>(row)], 8), row);
}

}  // namespace
}  // namespace headroom
