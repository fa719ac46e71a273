#include "headroom/backend/arena.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "headroom/runtime/process_memory.h"

namespace headroom {
namespace {

constexpr int64_t kMegabyte = 1 << 20;

TEST(Arena, IsZeroAndCommittedToItsLastByte) {
  for (const int count : {1, 3}) {
    Threads threads(count);
    for (const int64_t size : {int64_t{0}, int64_t{1}, int64_t{4096}, 5 * kMegabyte + 17}) {
      const int64_t before = resident_bytes();
      const Arena arena(size, threads);
      ASSERT_EQ(static_cast<int64_t>(arena.bytes().size()), size);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(arena.bytes().data()) % 4096, 0u);
      EXPECT_GE(resident_bytes() - before, size / 4096 * 4096);
      EXPECT_EQ(std::count(arena.bytes().begin(), arena.bytes().end(), std::byte{0}), size);
    }
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which keep notes of all memory
TEST(Arena, NeverTakesMoreThanItsPages) {
  Threads threads(2);
  const Arena warm(kMegabyte, threads);
  const int64_t before = resident_bytes();
  const int64_t size = 7 * kMegabyte + 4096;
  const Arena arena(size, threads);
  EXPECT_LE(resident_bytes() - before, size + kMegabyte / 4);
}
#endif

TEST(Arena, LiesInHugePagesWhereTheKernelGivesThem) {
  Threads threads(1);
  const int64_t before = huge_page_bytes();
  const Arena arena(8 * kMegabyte, threads);
  const int64_t gained = huge_page_bytes() - before;
  EXPECT_TRUE(gained == 0 || gained == 8 * kMegabyte) << gained;
  EXPECT_EQ(gained % (2 * kMegabyte), 0);
}

}  // namespace
}  // namespace headroom
