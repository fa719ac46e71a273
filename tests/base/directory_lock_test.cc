#include "headroom/base/directory_lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

TEST(DirectoryLock, RefusesASecondHolderByNameAndIsFreeAfterwards) {
  const TemporaryDirectory directory;
  {
    std::optional<DirectoryLock> first(directory.path());
    EXPECT_ERROR(InvalidInput, "process " + std::to_string(::getpid()), DirectoryLock(directory.path()));
    EXPECT_ERROR(InvalidInput, "is working in this directory", DirectoryLock(directory.path()));
  }
  EXPECT_NO_THROW(DirectoryLock(directory.path()));
}

TEST(DirectoryLock, NeedsItsDirectory) {
  const TemporaryDirectory directory;
  EXPECT_ERROR(InvalidInput, "No such file", DirectoryLock(directory / "none"));
}

}  // namespace
}  // namespace headroom
