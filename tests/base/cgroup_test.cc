#include "headroom/base/cgroup.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "headroom/base/threads.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

// A directory that looks like /sys/fs/cgroup, with a list of groups like /proc/self/cgroup.
class Cgroups : public ::testing::Test {
 protected:
  void make(const std::string& group) { std::filesystem::create_directories(root_ / group); }
  std::vector<std::string> visited(std::string_view controller) const {
    std::vector<std::string> directories;
    for_each_cgroup(
        controller,
        [&](const Cgroup& group) {
          directories.push_back((group.is_v2 ? "2:" : "1:") + group.directory.substr(root_.path().size()));
        },
        root_ / "groups", root_.path());
    return directories;
  }
  int processors() const { return available_processors(root_ / "groups", root_.path()); }

  TemporaryDirectory root_;
  const int all_ = available_processors("/nowhere", "/nowhere");
};

TEST_F(Cgroups, AreVisitedFromTheProcessesUpToTheRoot) {
  root_.write("groups", "4:memory:/a/b\n3:cpu,cpuacct:/\nnonsense\n0::/c\n");
  EXPECT_EQ(visited("memory"), (std::vector<std::string>{"1:/memory/a/b", "1:/memory/a", "1:/memory", "2:/c", "2:"}));
  EXPECT_EQ(visited("cpu"), (std::vector<std::string>{"1:/cpu", "2:/c", "2:"}));
}

TEST_F(Cgroups, WhatTheKernelCanDropIsAvailable) {
  make("v1");
  make("v2");
  const Cgroup v1{root_ / "v1", false}, v2{root_ / "v2", true};
  EXPECT_EQ(available_memory_of(v1), INT64_MAX);
  root_.write("v1/memory.limit_in_bytes", "1000000\n");
  root_.write("v1/memory.usage_in_bytes", "700000\n");
  EXPECT_EQ(available_memory_of(v1), 300000);
  root_.write("v1/memory.stat",
              "cache 1\ninactive_file 5\ntotal_dirty 20000\ntotal_inactive_file 100000\ntotal_active_file 50000\n");
  EXPECT_EQ(available_memory_of(v1), 300000 + 150000 - 20000);
  root_.write("v2/memory.max", "max\n");
  root_.write("v2/memory.current", "700000\n");
  EXPECT_EQ(available_memory_of(v2), INT64_MAX);
  root_.write("v2/memory.max", "1000000\n");
  root_.write("v2/memory.stat", "anon 600000\nfile_writeback 1000\ninactive_file 60000\nactive_file 40000\n");
  EXPECT_EQ(available_memory_of(v2), 300000 + 100000 - 1000);
}

TEST_F(Cgroups, AQuotaAnywhereOnTheWayLimitsTheProcessors) {
  make("outer/inner");
  root_.write("groups", "0::/outer/inner\n");
  EXPECT_EQ(processors(), all_);
  root_.write("outer/cpu.max", "max 100000\n");
  EXPECT_EQ(processors(), all_);
  root_.write("outer/cpu.max", "90000 100000\n");
  EXPECT_EQ(processors(), 1);
  root_.write("outer/cpu.max", "110000 100000\n");
  EXPECT_EQ(processors(), std::min(all_, 2));
  root_.write("cpu.max", "1000 100000\n");
  EXPECT_EQ(processors(), 1);
}

TEST_F(Cgroups, TheFirstVersionHasItsOwnFiles) {
  make("cpu/group");
  root_.write("groups", "1:cpu:/group\n");
  root_.write("cpu/group/cpu.cfs_period_us", "100000\n");
  root_.write("cpu/group/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(processors(), all_);
  root_.write("cpu/group/cpu.cfs_quota_us", "50000\n");
  EXPECT_EQ(processors(), 1);
}

TEST_F(Cgroups, NonsenseIsNoQuota) {
  root_.write("groups", "0::/\n");
  for (const char* text : {"", "0 0", "-5 100000", "1e300 1", "words", "100000"}) {
    root_.write("cpu.max", text);
    EXPECT_EQ(processors(), all_) << text;
  }
}

}  // namespace
}  // namespace headroom
