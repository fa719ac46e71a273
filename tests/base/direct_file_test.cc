#include "headroom/base/direct_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <random>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/page.h"
#include "headroom/base/threads.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

// Pieces of all sizes at any offset, from memory at the same place in a page and at another one.
TEST(DirectWriter, WritesTheBytesOfOrdinaryWrites) {
  const TemporaryDirectory directory;
  std::mt19937 random(1);
  std::string text(5'000'003, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  std::vector<int64_t> ends;
  for (int64_t at = 0; at < static_cast<int64_t>(text.size());) {
    at += 1 + random() % (random() % 2 == 0 ? 5000 : 400'000);
    ends.push_back(std::min(at, static_cast<int64_t>(text.size())));
  }
  File file = File::create(directory / "a");
  file.reserve(static_cast<int64_t>(text.size()));
  EXPECT_EQ(file.size_bytes(), static_cast<int64_t>(text.size()));
  {
    DirectWriter writer(file);
    Threads threads(3);
    threads.split(static_cast<int64_t>(ends.size()), 1, [&](int64_t begin, int64_t end, int) {
      std::vector<char> memory(400'001 + 3 * kPageBytes);
      const auto address = static_cast<int64_t>(reinterpret_cast<uintptr_t>(memory.data()));
      for (int64_t i = begin; i < end; ++i) {
        const int64_t offset = i == 0 ? 0 : ends[static_cast<size_t>(i - 1)];
        const int64_t size = ends[static_cast<size_t>(i)] - offset;
        const int64_t shift = i % 3 == 0 ? 1 : 0;
        char* data = memory.data() + (round_up(address, kPageBytes) - address) + offset % kPageBytes + shift;
        std::copy_n(text.data() + offset, size, data);
        writer.write(offset, data, size);
      }
    });
  }
  file.sync();
  EXPECT_EQ(directory.read("a"), text);
}

TEST(DirectWriter, SaysThatTheDiskIsFull) {
  const TemporaryDirectory directory;
  rlimit old_limit = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit = {200'000, old_limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  File file = File::create(directory / "a");
  EXPECT_ERROR(MachineFailure, "cannot write 300,000 more bytes after 0", file.reserve(300'000));
  std::vector<char> memory(300'000 + kPageBytes);
  const auto address = static_cast<int64_t>(reinterpret_cast<uintptr_t>(memory.data()));
  DirectWriter writer(file);
  EXPECT_ERROR(MachineFailure, "cannot write",
               writer.write(0, memory.data() + (round_up(address, kPageBytes) - address), 300'000));
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  ::signal(SIGXFSZ, old_handler);
}

}  // namespace
}  // namespace headroom
