#include "headroom/generate/text_windows.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>
#include <string>

namespace headroom {
namespace {

// Windows over 0, 1, ..., count - 1, pushed in pieces: "first..last counts from X" of each.
std::vector<std::string> windows(int64_t seq_len, int64_t stride, int count, size_t piece = 3) {
  std::vector<std::string> out;
  TextWindows cutter(seq_len, stride, [&](std::span<const int32_t> ids, int64_t first_counted) {
    out.push_back(fmt::format("{}..{} from {}", ids.front(), ids.back(), ids[static_cast<size_t>(first_counted)]));
  });
  std::vector<int32_t> all(static_cast<size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  for (size_t i = 0; i < all.size(); i += piece)
    cutter.push(std::span(all).subspan(i, std::min(piece, all.size() - i)));
  cutter.finish();
  return out;
}

TEST(TextWindows, CountEachPredictionOnce) {
  EXPECT_EQ(windows(4, 2, 9), (std::vector<std::string>{"0..3 from 1", "2..5 from 4", "4..7 from 6", "6..8 from 8"}));
  EXPECT_EQ(windows(4, 3, 7), (std::vector<std::string>{"0..3 from 1", "3..6 from 4"}));
  EXPECT_EQ(windows(4, 1, 6), (std::vector<std::string>{"0..3 from 1", "1..4 from 4", "2..5 from 5"}));
}

TEST(TextWindows, WithoutOverlapEachBeginsAnew) {
  EXPECT_EQ(windows(4, 4, 10), (std::vector<std::string>{"0..3 from 1", "4..7 from 5", "8..9 from 9"}));
  EXPECT_EQ(windows(4, 4, 9), (std::vector<std::string>{"0..3 from 1", "4..7 from 5"}));  // 8 has no prediction
}

TEST(TextWindows, ShortTextsAreOneWindow) {
  EXPECT_EQ(windows(8, 4, 3), (std::vector<std::string>{"0..2 from 1"}));
  EXPECT_TRUE(windows(8, 4, 1).empty());
  EXPECT_TRUE(windows(8, 4, 0).empty());
}

TEST(TextWindows, PiecesDoNotMatter) { EXPECT_EQ(windows(5, 2, 40, 40), windows(5, 2, 40, 1)); }

}  // namespace
}  // namespace headroom
