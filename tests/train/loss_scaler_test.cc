// The loss scale over 10,000 scripted steps against torch.amp.GradScaler and DeepSpeed (tests/data/loss_scale).
#include "headroom/train/loss_scaler.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr int64_t kSteps = 10000;

// As in generate.py.
std::vector<bool> overflows() {
  std::vector<bool> result;
  uint32_t state = 12345;
  for (int64_t step = 0; step < kSteps; ++step) {
    state = state * 1664525u + 1013904223u;
    const bool is_dense = step >= 4000 && step < 4040;
    result.push_back(state < (is_dense ? 1u << 30 : 1u << 19) || (step >= 9000 && step < 9003));
  }
  return result;
}

using Trace = std::vector<std::pair<int64_t, double>>;

// A run that is saved and restored now and then.
Trace trace_of(const LossScaleSettings& settings) {
  LossScaler scaler(settings);
  Trace trace;
  int64_t step = 0;
  int64_t skipped = 0;
  for (const bool overflow : overflows()) {
    const double scale = static_cast<double>(scaler.scale());
    if (trace.empty() || trace.back().second != scale) trace.emplace_back(step, scale);
    scaler.update(overflow);
    skipped += overflow ? 1 : 0;
    if (++step % 777 == 0) {
      LossScaler restored(settings);
      restored.restore(scaler.state(), "checkpoint-777");
      scaler = restored;
    }
  }
  EXPECT_EQ(scaler.skipped(), skipped);
  return trace;
}

TEST(LossScaler, TracesAreGradScalersAndDeepSpeeds) {
  const std::string path = std::string(HEADROOM_SOURCE_DIR) + "/tests/data/loss_scale/traces.json";
  const nlohmann::json traces = nlohmann::json::parse(std::ifstream(path));
  for (const auto& [name, hysteresis] :
       {std::pair("torch", 1), std::pair("deepspeed_2", 2), std::pair("deepspeed_4", 4)}) {
    const Trace expected = traces.at(name).get<Trace>();
    ASSERT_GT(expected.size(), 5u);
    EXPECT_EQ(trace_of({.hysteresis = hysteresis}), expected) << name;
  }
}

TEST(LossScaler, DeepSpeedsRulesEndTheRunAtTheSmallestScale) {
  LossScaler scaler({.hysteresis = 2});
  for (int step = 0; step < 17; ++step) scaler.update(true);
  EXPECT_EQ(scaler.scale(), 1.0f);
  try {
    scaler.update(true);
    FAIL() << "went on";
  } catch (const InvalidInput& error) {
    EXPECT_STREQ(error.what(),
                 "gradients overflow f16 at the smallest loss scale, 1; the checkpoints before it are kept; try "
                 "--precision bf16 or a smaller --lr");
  }
}

TEST(LossScaler, AConstantScaleStays) {
  LossScaler scaler({.fixed = 1024});
  scaler.update(true);
  EXPECT_EQ(scaler.scale(), 1024.0f);
  EXPECT_EQ(scaler.skipped(), 0);
  EXPECT_FALSE(scaler.is_dynamic());
}

TEST(LossScaler, RefusesAStateThatLacksSomething) {
  EXPECT_THROW(LossScaler({}).restore({{"loss_scale", "1"}}, "checkpoint-5"), InvalidInput);
}

}  // namespace
}  // namespace headroom
