#include "headroom/train/checkpoint.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <numeric>

#include "headroom/base/atomic_file.h"
#include "headroom/base/block_reader.h"
#include "headroom/base/errors.h"
#include "headroom/formats/weights/safetensors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

class CheckpointTest : public testing::Test {
 protected:
  // A state whose values say which step it is of.
  struct State {
    explicit State(float step) : weight(1000, step), moment(1000, -step), half(8, static_cast<uint16_t>(step)) {
      weights = {value("w", f32({10, 100}), weight), value("h", {DType::bf16, {8}}, half)};
      optimizer = {value("exp_avg.w", f32({10, 100}), moment)};
    }
    template <class T>
    StoredValue value(const char* name, const Type& type, std::vector<T>& numbers) {
      return {.name = name, .type = type, .data = reinterpret_cast<std::byte*>(numbers.data()), .staging = staging};
    }
    StateTensors tensors() const { return {weights, optimizer}; }
    std::vector<float> weight, moment;
    std::vector<uint16_t> half;
    std::vector<std::byte> staging = std::vector<std::byte>(BlockReader::kLeastStagingBytes);
    std::vector<StoredValue> weights, optimizer;
  };

  void save(int64_t step, int64_t keep = 100) {
    checkpoints_.save({step, settings_}, State(static_cast<float>(step)).tensors(), keep);
  }

  TemporaryDirectory directory_;
  Checkpoints checkpoints_{directory_.path()};
  RunSettings settings_ = {{"--lr", "0.0003"}, {"--seed", "0"}, {"the data", "9af3"}};
};

TEST_F(CheckpointTest, GivesBackTheStateBitForBit) {
  EXPECT_FALSE(checkpoints_.newest().has_value());
  save(3);
  save(20);
  EXPECT_EQ(checkpoints_.newest(), 20);
  const CheckpointState state = checkpoints_.read_state(20);
  EXPECT_EQ(state.step, 20);
  EXPECT_EQ(state.settings, settings_);
  State loaded(0);
  checkpoints_.load(20, loaded.tensors());
  EXPECT_EQ(loaded.weight, State(20).weight);
  EXPECT_EQ(loaded.moment, State(20).moment);
  EXPECT_EQ(loaded.half, State(20).half);
}

TEST_F(CheckpointTest, TheFilesDependOnTheTensorsAlone) {
  save(3);
  save(4);
  checkpoints_.save({5, {}}, State(3).tensors(), 100);
  EXPECT_EQ(directory_.read("checkpoint-3/model.safetensors"), directory_.read("checkpoint-5/model.safetensors"));
  EXPECT_NE(directory_.read("checkpoint-3/model.safetensors"), directory_.read("checkpoint-4/model.safetensors"));
}

TEST_F(CheckpointTest, AnOptimizerMayHaveNoState) {
  State plain(2);
  plain.optimizer.clear();
  checkpoints_.save({2, settings_}, plain.tensors(), 1);
  State loaded(0);
  loaded.optimizer.clear();
  checkpoints_.load(2, loaded.tensors());
  EXPECT_EQ(loaded.weight, plain.weight);
}

TEST_F(CheckpointTest, DropsAllButTheNewest) {
  for (const int64_t step : {8, 9, 10, 11}) save(step, 2);
  EXPECT_EQ(checkpoints_.list(), (std::vector<int64_t>{10, 11}));
  EXPECT_EQ(directory_.count_entries(), 2);
}

TEST_F(CheckpointTest, PassesOverWhatIsNotComplete) {
  for (const int64_t step : {1, 2, 3, 4}) save(step);
  std::filesystem::resize_file(directory_ / "checkpoint-4/model.safetensors", 5000);
  std::filesystem::remove(directory_ / "checkpoint-3/state.json");
  std::filesystem::create_directory(directory_ / "checkpoint-99.headroom-tmp");
  std::filesystem::create_directory(directory_ / "checkpoint-05");
  EXPECT_EQ(checkpoints_.list(), (std::vector<int64_t>{1, 2}));
  save(4);  // in place of the damaged one
  EXPECT_EQ(checkpoints_.newest(), 4);
}

TEST_F(CheckpointTest, AFullDiskLeavesTheOlderCheckpointsAndNothingElse) {
  save(1);
  rlimit old_limit = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit = {2000, old_limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_ERROR(MachineFailure, "cannot write", save(2, 1));
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  ::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(checkpoints_.list(), std::vector<int64_t>{1});
  EXPECT_EQ(directory_.count_entries(), 1);
}

// Killed at moments spread over saves and drops: the newest checkpoint is always there, whole.
TEST_F(CheckpointTest, AKillAtAnyMomentLeavesACompleteCheckpoint) {
  int64_t newest = 1;
  const auto begin = std::chrono::steady_clock::now();
  save(1);
  const std::chrono::duration<double, std::micro> one_save = std::chrono::steady_clock::now() - begin;
  // More rounds where the machine is so busy that no child comes to its end in them.
  for (int round = 0; round < 20 || (newest == 1 && round < 100); ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int64_t step = newest + 1;; ++step) save(step, 1);
    }
    ::usleep(static_cast<useconds_t>(one_save.count() * (0.2 + 0.17 * round)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    remove_leftovers(directory_.path());
    ASSERT_TRUE(checkpoints_.newest().has_value());
    ASSERT_GE(*checkpoints_.newest(), newest);
    newest = *checkpoints_.newest();
    State loaded(0);
    checkpoints_.load(newest, loaded.tensors());
    EXPECT_EQ(loaded.weight, State(static_cast<float>(newest)).weight);
    EXPECT_EQ(loaded.moment, State(static_cast<float>(newest)).moment);
  }
  EXPECT_GT(newest, 1);
}

TEST_F(CheckpointTest, ComputesTheSpaceItNeeds) {
  save(1);
  int64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_ / "checkpoint-1")) bytes += entry.file_size();
  EXPECT_GE(Checkpoints::bytes_of(State(1).tensors()), bytes);
  EXPECT_LE(Checkpoints::bytes_of(State(1).tensors()), bytes + 64 * 1024);
  EXPECT_NO_THROW(checkpoints_.require_space(State(1).tensors(), 3, 0));
  EXPECT_ERROR(MachineFailure, "training with its checkpoints needs",
               checkpoints_.require_space(State(1).tensors(), 3, int64_t{1} << 60));
}

TEST_F(CheckpointTest, NamesTheSettingThatDiffers) {
  RunSettings wanted = settings_;
  EXPECT_NO_THROW(check_settings("out/checkpoint-3", settings_, wanted));
  wanted[0].second = "0.001";
  EXPECT_ERROR(InvalidInput, "out/checkpoint-3: this run was trained with --lr 0.0003, got 0.001",
               check_settings("out/checkpoint-3", settings_, wanted));
  EXPECT_ERROR(InvalidInput, "--seed 0, got absent", check_settings("c", settings_, {settings_[0], settings_[2]}));
  EXPECT_ERROR(InvalidInput, "--seed absent, got 0", check_settings("c", {settings_[0], settings_[2]}, settings_));
}

TEST_F(CheckpointTest, RefusesTheStateOfAnotherModel) {
  save(1);
  State other(0);
  other.weights[0].type = f32({1000});
  EXPECT_ERROR(InvalidInput, "tensor w is F32 [10, 100] (expected f32[1000])", checkpoints_.load(1, other.tensors()));
  other.weights[0].name = "v";
  EXPECT_ERROR(InvalidInput, "tensor v is missing", checkpoints_.load(1, other.tensors()));
  other.weights.erase(other.weights.begin());
  EXPECT_ERROR(InvalidInput, "has 2 tensors, expected 1", checkpoints_.load(1, other.tensors()));
}

}  // namespace
}  // namespace headroom
