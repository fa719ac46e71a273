#include "headroom/measure/machine_profile.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/temporary_directory.h"

namespace headroom {
namespace {

using OrderedJson = nlohmann::ordered_json;

MachineLimits limits_of(int threads, double rate) {
  MachineLimits limits;
  limits.fma = {{Isa::avx2, threads, rate}};
  limits.memory = {{threads, rate, rate, rate, rate}};
  return limits;
}

class MachineProfile : public ::testing::Test {
 protected:
  void SetUp() override { ::setenv("XDG_CACHE_HOME", directory_.path().c_str(), 1); }
  void TearDown() override { ::unsetenv("XDG_CACHE_HOME"); }

  OrderedJson read() const {
    std::ifstream in(machine_profile_path());
    return OrderedJson::parse(in);
  }
  static void write(const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(machine_profile_path()).parent_path());
    std::ofstream(machine_profile_path()) << text;
  }

  TemporaryDirectory directory_;
};

TEST_F(MachineProfile, RemembersEachNumberOfThreads) {
  EXPECT_FALSE(remembered_limits(1));
  remember_limits(limits_of(1, 1e9));
  remember_limits(limits_of(2, 2e9));
  remember_limits(limits_of(1, 3e9));
  ASSERT_TRUE(remembered_limits(1));
  EXPECT_EQ(remembered_limits(1)->fma_flops_per_second(Isa::avx2, 1), 3e9);
  EXPECT_EQ(remembered_limits(2)->fma_flops_per_second(Isa::avx2, 2), 2e9);
  EXPECT_EQ(remembered_limits(2)->memory.size(), 2u);
  EXPECT_FALSE(remembered_limits(3));
}

TEST_F(MachineProfile, OfAnotherMachineOrVersionIsNone) {
  remember_limits(limits_of(1, 1e9));
  const OrderedJson good = read();
  ASSERT_TRUE(remembered_limits(1));
  for (const auto& [key, value] : {std::pair<const char*, OrderedJson>{"cpu", "another"},
                                   {"processors", 4096},
                                   {"isas", {"avx3"}},
                                   {"version", 0}}) {
    OrderedJson other = good;
    ASSERT_NE(other["machine"][key], value);
    other["machine"][key] = value;
    write(other.dump());
    EXPECT_FALSE(remembered_limits(1)) << key;
  }
  remember_limits(limits_of(1, 2e9));  // and it is replaced
  EXPECT_EQ(remembered_limits(1)->fma_flops_per_second(Isa::avx2, 1), 2e9);
}

TEST_F(MachineProfile, WhateverTheFileHoldsIsNoError) {
  remember_limits(limits_of(1, 1e9));
  const OrderedJson good = read();
  std::vector<std::string> hostile = {
      "", "[]", "{", "null", "{\"machine\": 1}", std::string(100'000, '['), std::string(1 << 20, ' ') + good.dump()};
  const auto with = [&](const char* pointer, const OrderedJson& value) {
    OrderedJson bad = good;
    bad[OrderedJson::json_pointer(pointer)] = value;
    hostile.push_back(bad.dump());
  };
  with("/limits", 7);
  with("/limits/fma", {{"isa", "avx2"}});
  with("/limits/fma/0/isa", "potato");
  with("/limits/fma/0/threads", -1);
  with("/limits/fma/0/flops_per_second", 0);
  with("/limits/fma/0/flops_per_second", -1e9);
  with("/limits/fma/0/flops_per_second", "fast");
  with("/limits/memory/0/read_bytes_per_second", 1e300);
  with("/limits/memory/0/update_bytes_per_second", nullptr);
  with("/limits/memory", OrderedJson::array());
  for (const std::string& text : hostile) {
    write(text);
    EXPECT_FALSE(remembered_limits(1)) << text.substr(0, 200);
    EXPECT_NO_THROW(remember_limits(limits_of(1, 5e9)));
    EXPECT_TRUE(remembered_limits(1));
  }
}

TEST_F(MachineProfile, NoPlaceForItIsNoError) {
  directory_.write("headroom", "a file where the directory would be");
  EXPECT_NO_THROW(remember_limits(limits_of(1, 1e9)));
  EXPECT_FALSE(remembered_limits(1));
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  ::setenv("HOME", "", 1);
  EXPECT_EQ(machine_profile_path(), "");
  EXPECT_NO_THROW(remember_limits(limits_of(1, 1e9)));
}

}  // namespace
}  // namespace headroom
