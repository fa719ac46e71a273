#include "headroom/base/threads.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

TEST(Threads, SplitCoversEveryIndexOnceAtGrainBorders) {
  for (const int count : {1, 2, 3, 5}) {
    Threads threads(count);
    for (const int64_t size : {0, 1, 7, 16, 1000, 1001}) {
      std::vector<int> seen(static_cast<size_t>(size), 0);
      threads.split(size, 16, [&](int64_t begin, int64_t end, int thread) {
        EXPECT_LT(thread, count);
        EXPECT_EQ(begin % 16, 0);
        for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
      });
      for (const int times : seen) EXPECT_EQ(times, 1);
    }
  }
}

TEST(Threads, ManyRoundsEachRunEveryThread) {
  Threads threads(4);
  std::array<int64_t, 4> rounds = {};
  for (int round = 0; round < 300; ++round) threads.run([&](int thread) { ++rounds[static_cast<size_t>(thread)]; });
  for (const int64_t count : rounds) EXPECT_EQ(count, 300);
}

TEST(Threads, RefusesAbsurdCounts) {
  EXPECT_THROW(Threads(0), InvalidInput);
  EXPECT_THROW(Threads(-3), InvalidInput);
  EXPECT_THROW(Threads(100000), InvalidInput);
}

TEST(Threads, TheFlagMeansThreadsAndZeroEveryProcessor) {
  EXPECT_EQ(threads_to_use(3), 3);
  EXPECT_EQ(threads_to_use(0), available_processors());
  EXPECT_THROW(threads_to_use(-1), InvalidInput);
  EXPECT_THROW(threads_to_use(1025), InvalidInput);
}

}  // namespace
}  // namespace headroom
