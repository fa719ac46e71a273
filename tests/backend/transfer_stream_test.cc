#include "headroom/backend/transfer_stream.h"
#include "headroom/backend/offload_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "headroom/base/errors.h"
#include "headroom/base/page.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

class Pages {
 public:
  explicit Pages(int64_t size_bytes) : size_(static_cast<size_t>(size_bytes)) {
    data_ = static_cast<std::byte*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  }
  ~Pages() { munmap(data_, size_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  std::byte* at(int64_t offset) const { return data_ + offset; }

 private:
  size_t size_;
  std::byte* data_;
};

struct Way {
  const char* name;
  std::unique_ptr<TransferStream> (*make)(const std::string&, size_t);
};

class Transfers : public ::testing::TestWithParam<Way> {
 protected:
  std::unique_ptr<TransferStream> make(OffloadFile& file, size_t most = 64) {
    return GetParam().make(file.directory(), most);
  }

  TemporaryDirectory directory_;
};

INSTANTIATE_TEST_SUITE_P(, Transfers,
                         ::testing::Values(Way{"uring", &make_uring_stream}, Way{"threads", &make_thread_stream}),
                         [](const auto& way) { return std::string(way.param.name); });

// Random reads and writes, many in flight, against a copy in memory that sees them in the order of their begins.
TEST_P(Transfers, AreAsIfDoneOneAfterTheOther) {
  constexpr int64_t kFilePages = 2048;
  OffloadFile file(directory_.path(), kFilePages * kPageBytes);
  const auto stream = make(file);
  if (!stream) GTEST_SKIP() << "io_uring is denied here";
  std::mt19937_64 random(7);
  const auto below = [&](int64_t bound) { return static_cast<int64_t>(random() % static_cast<uint64_t>(bound)); };
  constexpr int64_t kSlotPages = 512;
  constexpr size_t kSlots = 8;
  std::vector<char> expected(static_cast<size_t>(kFilePages * kPageBytes), 0);
  struct Slot {
    std::unique_ptr<Pages> memory = std::make_unique<Pages>(kSlotPages * kPageBytes);
    TransferRequest request;
    std::vector<char> wanted;  // of a read
    bool busy = false;
  };
  std::vector<Slot> slots(kSlots);
  const auto finish = [&](Slot& slot) {
    stream->wait(slot.request);
    if (!slot.request.is_write) {
      ASSERT_EQ(std::memcmp(slot.memory->at(0), slot.wanted.data(), slot.wanted.size()), 0);
    }
    slot.busy = false;
  };
  for (int round = 0; round < 400; ++round) {
    Slot& slot = slots[static_cast<size_t>(below(kSlots))];
    if (slot.busy) finish(slot);
    const int64_t pages = 1 + below(kSlotPages);
    const int64_t first = below(kFilePages - pages + 1);
    slot.request.is_write = below(2) == 0;
    slot.request.parts = {{file.descriptor(), first * kPageBytes, slot.memory->at(0), pages * kPageBytes}};
    if (pages > 3) {  // in two parts
      slot.request.parts = {
          {file.descriptor(), first * kPageBytes, slot.memory->at(0), 2 * kPageBytes},
          {file.descriptor(), (first + 2) * kPageBytes, slot.memory->at(2 * kPageBytes), (pages - 2) * kPageBytes}};
    }
    char* place = expected.data() + first * kPageBytes;
    const auto bytes = static_cast<size_t>(pages * kPageBytes);
    if (slot.request.is_write) {
      std::memset(slot.memory->at(0), round % 251, bytes);
      std::memset(place, round % 251, bytes);
    } else {
      slot.wanted.assign(place, place + bytes);
    }
    stream->begin(slot.request);
    slot.busy = true;
  }
  for (Slot& slot : slots) {
    if (slot.busy) finish(slot);
  }
}

TEST_P(Transfers, AFileThatWasCutShortEndsTheRun) {
  OffloadFile file(directory_.path(), 16 * kPageBytes);
  const auto stream = make(file);
  if (!stream) GTEST_SKIP() << "io_uring is denied here";
  ASSERT_EQ(ftruncate(file.descriptor(), 8 * kPageBytes), 0);
  const Pages memory(16 * kPageBytes);
  TransferRequest request;
  request.parts = {{file.descriptor(), 0, memory.at(0), 16 * kPageBytes}};
  stream->begin(request);
  try {
    stream->wait(request);
    FAIL();
  } catch (const MachineFailure& error) {
    EXPECT_EQ(std::string(error.what()), "--disk " + directory_.path() +
                                             ": cannot read what is kept there: No data available; start again "
                                             "(training with --resume: its checkpoints are whole)");
  }
  stream->drain();
}

// As weights are read where they lie: the end of a file within a page, and with threads any offset.
TEST_P(Transfers, ReadWhatEndsAndBeginsWithinAPage) {
  constexpr int64_t kBytes = 3 * 1024 * 1024 + 777;
  std::vector<char> bytes(kBytes);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 % 251);
  const std::string path = directory_.write("weights", std::string(bytes.begin(), bytes.end()));
  for (const int flags : {O_RDONLY | O_DIRECT, O_RDONLY}) {
    const int descriptor = open(path.c_str(), flags);
    if (descriptor < 0) continue;  // the file system has no direct access
    const auto stream = GetParam().make("", 4);
    if (!stream) GTEST_SKIP() << "io_uring is denied here";
    for (const int64_t first : {0, 4096, 100, 5000}) {
      if (first % kPageBytes != 0 && std::string_view(GetParam().name) == "uring") continue;
      const Pages memory(kBytes / kPageBytes * kPageBytes + kPageBytes);
      TransferRequest request;
      request.model_file = &path;
      request.parts = {{descriptor, first, memory.at(0), kBytes - first}};
      stream->begin(request);
      stream->wait(request);
      EXPECT_EQ(std::memcmp(memory.at(0), bytes.data() + first, static_cast<size_t>(kBytes - first)), 0) << first;
    }
    close(descriptor);
  }
}

// A descriptor that cannot be written to stands for a disk that fails.
TEST_P(Transfers, AnErrorOfTheDiskEndsTheRun) {
  OffloadFile file(directory_.path(), 16 * kPageBytes);
  const auto stream = make(file);
  if (!stream) GTEST_SKIP() << "io_uring is denied here";
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_GE(dup2(ends[0], file.descriptor()), 0);
  const Pages memory(4 * kPageBytes);
  TransferRequest first;
  first.is_write = true;
  first.parts = {{file.descriptor(), 0, memory.at(0), 4 * kPageBytes}};
  stream->begin(first);
  EXPECT_THROW(stream->wait(first), MachineFailure);
  close(ends[0]);
  close(ends[1]);
}

TEST(OffloadFile, BeginsAsZerosAndLeavesNoName) {
  const TemporaryDirectory directory;
  OffloadFile file(directory.path(), 4 * kPageBytes);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  const Pages memory(4 * kPageBytes);
  std::memset(memory.at(0), 1, 4 * kPageBytes);
  file.read(0, memory.at(0), 4 * kPageBytes);
  for (int64_t i = 0; i < 4 * kPageBytes; ++i) ASSERT_EQ(*memory.at(i), std::byte{0});
}

TEST(OffloadFile, ADiskThatIsTooSmallIsRefusedAtOnce) {
  const TemporaryDirectory directory;
  try {
    OffloadFile file(directory.path(), int64_t{1} << 60);
    FAIL();
  } catch (const MachineFailure& error) {
    EXPECT_NE(std::string(error.what()).find("no room for the 1073741824.00 GiB"), std::string::npos) << error.what();
  }
}

TEST(OffloadFile, MakesItsDirectory) {
  const TemporaryDirectory directory;
  const OffloadFile file(directory.path() + "/new/one", kPageBytes);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path() + "/new/one"));
  EXPECT_THROW(OffloadFile("/dev/null/in", kPageBytes), InvalidInput);
}

}  // namespace
}  // namespace headroom
