#include "headroom/base/file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

TEST(File, WritesAndReadsAtOffsets) {
  const TemporaryDirectory directory;
  File file = File::create(directory / "a");
  file.write(3, "defg", 4);
  file.write(0, "abc", 3);
  char text[8] = {};
  EXPECT_EQ(file.read_some(1, text, 8), 6);
  EXPECT_STREQ(text, "bcdefg");
  EXPECT_EQ(file.size_bytes(), 7);
  file.truncate(2);
  EXPECT_EQ(file.size_bytes(), 2);
}

TEST(File, SaysThatAFileIsTruncated) {
  const TemporaryDirectory directory;
  File::create(directory / "a").write(0, "abc", 3);
  const File file = File::open(directory / "a");
  char text[8] = {};
  EXPECT_ERROR(InvalidInput, "truncated", file.read(1, text, 3));
}

TEST(File, TellsWhatTheUserCanMendFromAMachineThatFailed) {
  const TemporaryDirectory directory;
  EXPECT_ERROR(InvalidInput, "No such file", File::open(directory / "none"));
  EXPECT_ERROR(InvalidInput, "is a directory", File::open(directory.path()));
  EXPECT_ERROR(InvalidInput, "not a regular file", File::open("/dev/null"));
  EXPECT_ERROR(InvalidInput, "No such file", File::create(directory / "none/a"));
  ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
  EXPECT_ERROR(InvalidInput, "not a regular file", File::open(directory / "fifo"));  // and does not block
}

TEST(File, ReportsAFullDiskWithSizes) {
  const TemporaryDirectory directory;
  File file = File::create(directory / "a");
  rlimit old_limit = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit = {1000, old_limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const std::string data(3000, 'x');
  EXPECT_ERROR(MachineFailure, "cannot write 2,000 more bytes after 1,000", file.write(0, data.data(), 3000));
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  ::signal(SIGXFSZ, old_handler);
}

TEST(File, MeasuresDiskSpaceOfDirectoriesThatDoNotExistYet) {
  const TemporaryDirectory directory;
  const int64_t here = free_disk_bytes(directory.path());
  EXPECT_GT(here, 0);
  EXPECT_NEAR(static_cast<double>(free_disk_bytes(directory / "a/b/c")), static_cast<double>(here), 1e9);
  EXPECT_GT(free_disk_bytes("a-relative-name"), 0);
  EXPECT_NO_THROW(require_disk_space(directory.path(), 1, "a test"));
  EXPECT_ERROR(MachineFailure, "a test needs", require_disk_space(directory.path(), int64_t{1} << 60, "a test"));
}

TEST(File, CreatesDirectories) {
  const TemporaryDirectory directory;
  create_directories(directory / "a/b");
  create_directories(directory / "a/b");
  EXPECT_TRUE(std::filesystem::is_directory(directory / "a/b"));
  std::ofstream(directory / "file") << "x";
  EXPECT_ERROR(InvalidInput, "cannot create", create_directories(directory / "file"));
  EXPECT_ERROR(InvalidInput, "cannot create", create_directories(directory / "file/under"));
}

}  // namespace
}  // namespace headroom
