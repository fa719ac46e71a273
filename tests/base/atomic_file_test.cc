#include "headroom/base/atomic_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

TEST(AtomicFile, AppearsOnlyWhenCommitted) {
  const TemporaryDirectory directory;
  write_file_atomically(directory / "a", "old");
  {
    AtomicFile output(directory / "a");
    output.file().write(0, "new", 3);
    EXPECT_EQ(directory.read("a"), "old");
  }
  EXPECT_EQ(directory.read("a"), "old");
  EXPECT_EQ(directory.count_entries(), 1);
  write_file_atomically(directory / "a", "new");
  EXPECT_EQ(directory.read("a"), "new");
  EXPECT_EQ(directory.count_entries(), 1);
}

TEST(AtomicFile, AKillInTheMiddleLeavesTheOldFile) {
  const TemporaryDirectory directory;
  write_file_atomically(directory / "a", "old");
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile output(directory / "a");
    output.file().write(0, "half", 4);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(directory.read("a"), "old");
  EXPECT_EQ(directory.count_entries(), 2);
  remove_leftovers(directory.path());
  EXPECT_EQ(directory.count_entries(), 1);
  EXPECT_EQ(directory.read("a"), "old");
}

TEST(AtomicFile, DoesNotWriteThroughALinkThatWasLeftAsItsTemporaryName) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "victim") << "precious";
  fs::create_symlink(directory / "victim", (directory / "a") + std::string(kTemporarySuffix));
  write_file_atomically(directory / "a", "new");
  EXPECT_EQ(directory.read("victim"), "precious");
  EXPECT_EQ(directory.read("a"), "new");
}

TEST(AtomicFile, RefusesWhatIsNotAFileName) {
  const TemporaryDirectory directory;
  EXPECT_ERROR(InvalidInput, "is a directory", AtomicFile(directory.path()));
  EXPECT_ERROR(InvalidInput, "not a regular file", AtomicFile("/dev/null"));
  EXPECT_ERROR(InvalidInput, "No such file", AtomicFile(directory / "none/a"));
}

TEST(AtomicDirectory, AppearsWholeOrNotAtAll) {
  const TemporaryDirectory directory;
  {
    AtomicDirectory output(directory / "c");
    write_file_atomically(output.temporary_path() + "/x", "1");
  }
  EXPECT_EQ(directory.count_entries(), 0);
  AtomicDirectory output(directory / "c/");
  write_file_atomically(output.temporary_path() + "/x", "2");
  EXPECT_FALSE(fs::exists(directory / "c"));
  output.commit();
  EXPECT_EQ(directory.read("c/x"), "2");
  EXPECT_EQ(directory.count_entries(), 1);
  EXPECT_ERROR(InvalidInput, "exists already", AtomicDirectory(directory / "c"));
}

}  // namespace
}  // namespace headroom
