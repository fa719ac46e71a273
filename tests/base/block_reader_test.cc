#include "headroom/base/block_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <numeric>
#include <random>

#include "headroom/base/bytes.h"
#include "headroom/base/direct_file.h"
#include "headroom/base/errors.h"
#include "headroom/base/page.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

std::string random_bytes(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

class BlockReaderTest : public testing::Test {
 protected:
  // What the sink got of each range, which must be every byte once, in whole units.
  std::vector<std::string> collect(int64_t staging_bytes, const std::vector<ReadRange>& ranges) {
    std::vector<std::byte> staging(static_cast<size_t>(staging_bytes));
    BlockReader reader(staging);
    EXPECT_EQ(reader.thread_count(), BlockReader::threads_for(staging_bytes));
    std::vector<std::string> got;
    int64_t wanted = 0;
    for (const ReadRange& range : ranges) {
      got.emplace_back(static_cast<size_t>(range.size_bytes), '\0');
      wanted += range.size_bytes;
    }
    std::atomic<int64_t> handed{0};
    int64_t last = 0;
    reader.read(
        ranges,
        [&](const ReadPiece& piece) {
          EXPECT_EQ(piece.offset_bytes % ranges[piece.range].unit_bytes, 0);
          EXPECT_EQ(static_cast<int64_t>(piece.bytes.size()) % ranges[piece.range].unit_bytes, 0);
          EXPECT_LT(piece.thread, reader.thread_count());
          const char* begin = reinterpret_cast<const char*>(piece.bytes.data());
          std::copy(begin, begin + piece.bytes.size(), got[piece.range].begin() + piece.offset_bytes);
          std::fill(piece.bytes.begin(), piece.bytes.end(), std::byte{0});
          handed += static_cast<int64_t>(piece.bytes.size());
        },
        [&](int64_t done) {
          EXPECT_GT(done, 0);
          last = done;
        });
    EXPECT_EQ(handed, wanted);
    EXPECT_LE(last, wanted);
    return got;
  }

  TemporaryDirectory directory_;
};

// Units of 1 to 210 bytes at any offset, gaps small and large, empty ranges, two files, staging of one block and many.
TEST_F(BlockReaderTest, HandsOverEveryByteOnceWhateverTheRanges) {
  const std::array<std::string, 2> texts = {random_bytes(3'000'017, 1), random_bytes(700'001, 2)};
  std::array<File, 2> files;
  for (size_t f = 0; f < 2; ++f) files[f] = File::open(directory_.write(std::to_string(f), texts[f]));
  std::mt19937 random(3);
  for (const int64_t staging_bytes : {BlockReader::kLeastStagingBytes, int64_t{600'000}, int64_t{5'000'000}}) {
    std::vector<ReadRange> ranges;
    std::vector<std::string> expected;
    for (size_t f = 0; f < 2; ++f) {
      for (int64_t at = random() % 5000;;) {
        const int64_t unit = 1 + random() % 210;
        const int64_t size = unit * (random() % 8 == 0 ? 0 : random() % 3000);
        if (at + size > static_cast<int64_t>(texts[f].size())) break;
        ranges.push_back({&files[f], at, size, unit});
        expected.push_back(texts[f].substr(static_cast<size_t>(at), static_cast<size_t>(size)));
        at += size + (random() % 3 == 0 ? random() % 100'000 : 0);
      }
    }
    EXPECT_EQ(collect(staging_bytes, ranges), expected);
    std::reverse(ranges.begin(), ranges.end());  // slower, and as right
    std::reverse(expected.begin(), expected.end());
    EXPECT_EQ(collect(staging_bytes, ranges), expected);
  }
}

TEST_F(BlockReaderTest, ReadsTheLargestUnitThroughTheLeastStaging) {
  const std::string text = random_bytes(4 * BlockReader::kLargestUnitBytes + 4095, 4);
  const File file = File::open(directory_.write("a", text));
  EXPECT_EQ(collect(BlockReader::kLeastStagingBytes,
                    {{&file, 4095, 4 * BlockReader::kLargestUnitBytes, BlockReader::kLargestUnitBytes}})[0],
            text.substr(4095));
}

TEST_F(BlockReaderTest, ThrowsTheFirstErrorWhicheverThreadMetIt) {
  const File file = File::open(directory_.write("a", random_bytes(8 << 20, 5)));
  std::vector<std::byte> staging(4 << 20);
  BlockReader reader(staging);
  ASSERT_GT(reader.thread_count(), 1);
  const ReadRange all = {&file, 0, 8 << 20, 4};
  for (int round = 0; round < 20; ++round) {
    EXPECT_ERROR(InvalidInput, "bad at 3000000", reader.read({&all, 1}, [](const ReadPiece& piece) {
      for (const int64_t bad : {3'000'000, 5'000'000, 8'000'000}) {
        if (bad >= piece.offset_bytes && bad < piece.offset_bytes + static_cast<int64_t>(piece.bytes.size())) {
          throw InvalidInput("bad at {}", bad);
        }
      }
    }));
  }
  const ReadRange beyond = {&file, 8 << 20, 16, 4};
  EXPECT_ERROR(InvalidInput, "the file is truncated; expected 16 bytes at offset 8388608, got 0",
               reader.read({&beyond, 1}, [](const ReadPiece&) {}));
}

// From the disk, from the page cache, and where there are no direct reads: the same bytes, short at the file's end.
TEST_F(BlockReaderTest, DirectReadsGiveTheBytesOfOrdinaryOnes) {
  const std::string text = random_bytes(100'003, 6);
  const auto check = [&](const std::string& path, bool drop_cache) {
    std::ofstream(path, std::ios::binary) << text;
    if (drop_cache) {
      const int descriptor = ::open(path.c_str(), O_RDWR);
      ::fsync(descriptor);
      ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
      ::close(descriptor);
    }
    const File file = File::open(path);
    const DirectFile direct(file);
    std::vector<char> memory(3 * 65536);
    const auto begin = static_cast<int64_t>(reinterpret_cast<uintptr_t>(memory.data()));
    char* data = memory.data() + (round_up(begin, kPageBytes) - begin);
    for (const int64_t offset : {0, 65536, 98304, 131072}) {
      const size_t expected = offset < 100'003 ? std::min<size_t>(65536, 100'003 - static_cast<size_t>(offset)) : 0;
      ASSERT_EQ(direct.read_some(offset, data, 65536), static_cast<int64_t>(expected));
      EXPECT_EQ(std::string(data, expected), expected > 0 ? text.substr(static_cast<size_t>(offset), expected) : "");
    }
    std::filesystem::remove(path);
  };
  check(directory_ / "a", true);
  check(directory_ / "a", false);
  if (std::filesystem::is_directory("/dev/shm")) check("/dev/shm/headroom-direct-file-test", false);
}

}  // namespace
}  // namespace headroom
