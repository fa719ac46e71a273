#include "headroom/measure/memory_timeline.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace headroom {
namespace {

TEST(MemoryTimeline, KeepsEveryPointOfAShortStep) {
  MemoryTimeline timeline;
  for (int i = 0; i < 100; ++i) timeline.add(1'000'000'000 + i, 64 * i, 2, i);
  ASSERT_EQ(timeline.points().size(), 100u);
  EXPECT_EQ(timeline.points()[7].end_ns, 1'000'000'007);
  EXPECT_EQ(timeline.points()[7].live_bytes, 64 * 7);
  EXPECT_EQ(timeline.points()[7].graph, 2);
  EXPECT_EQ(timeline.points()[7].node, 7);
  EXPECT_GT(timeline.points()[7].resident_bytes, 1 << 20);  // this program has more than a MiB
  timeline.restart();
  EXPECT_TRUE(timeline.points().empty());
}

TEST(MemoryTimeline, OfALongStepKeepsThePeakAndTheOrder) {
  MemoryTimeline timeline;
  constexpr int kNodes = 50'000;
  const auto live = [](int node) { return node == 31'111 ? int64_t{1} << 40 : node % 977; };
  for (int i = 0; i < kNodes; ++i) timeline.add(1'000'000 * (int64_t{i} + 1), live(i), 0, i);
  const auto& points = timeline.points();
  ASSERT_LE(points.size(), MemoryTimeline::kMostPoints);
  ASSERT_GT(points.size(), MemoryTimeline::kMostPoints / 4);
  EXPECT_EQ(points.back().end_ns, 1'000'000 * int64_t{kNodes});
  const auto peak = std::max_element(points.begin(), points.end(),
                                     [](const auto& a, const auto& b) { return a.live_bytes < b.live_bytes; });
  EXPECT_EQ(peak->live_bytes, int64_t{1} << 40);
  EXPECT_EQ(peak->node, 31'111);
  for (size_t i = 1; i < points.size(); ++i) EXPECT_LT(points[i - 1].end_ns, points[i].end_ns);
}

}  // namespace
}  // namespace headroom
