#include "headroom/generate/forecast.h"

#include <gtest/gtest.h>

#include "headroom/generate/streamed_weights.h"
#include "headroom/models/presets.h"
#include "tests/generate/tiny_model.h"

namespace headroom {
namespace {

MachineRates plain_rates() {
  return {.flops_per_second = 1e12,
          .bytes_per_second = 1e10,
          .node_seconds = 0,
          .disk_read_bytes_per_second = 1e9,
          .samples = {},
          .source = "a test"};
}

struct Forecasted {
  Forecast forecast;
  FittedJob job;
};

Forecasted forecast_of(const Model& model, const GenerationShape& shape, int64_t budget_bytes = int64_t{1} << 40) {
  const StreamSource source(model);
  Forecasted all;
  all.job = fit_streamed({{"", [&] { return Job{.graphs = build_generation_graphs(model, shape)}; }}}, &source,
                         {.bytes = budget_bytes}, {});
  all.forecast = forecast(all.job, all.job.plan, shape, plain_rates());
  return all;
}

std::unique_ptr<Model> small_model() {
  Preset preset = *find_preset("tiny-4m");
  preset.size = {4096, 512, 1024, 6, 8, 8};
  return make_model(config_of(preset));
}

TEST(Forecast, ATokenReadsEveryWeightOnceAndTheCacheThatIsFull) {
  const auto model = small_model();
  const int64_t layer = 4 * 512 * 512 + 3 * 512 * 1024 + 2 * 512;
  const int64_t weights = 4 * (6 * layer + 512 + 4096 * 512) + 4 * 512;  // the head and one row of the table
  const int64_t cache = int64_t{6} * 2 * 4 * 512;                        // a token of it
  const Forecast short_one = forecast_of(*model, {.context = 64, .prefill_chunk = 32}).forecast;
  const Forecast long_one = forecast_of(*model, {.context = 8192, .prefill_chunk = 32}).forecast;
  EXPECT_NEAR(short_one.memory_bytes, static_cast<double>(weights + 64 * cache), 0.01 * weights);
  EXPECT_NEAR(long_one.memory_bytes, static_cast<double>(weights + 8192 * cache), 0.01 * weights);
  EXPECT_NEAR(long_one.tokens_per_second, short_one.tokens_per_second, 0.01 * short_one.tokens_per_second);
  EXPECT_LT(long_one.full_tokens_per_second, 0.4 * long_one.tokens_per_second);
  EXPECT_GT(short_one.prompt_tokens_per_second, 4 * short_one.tokens_per_second);
}

TEST(Forecast, SequencesShareTheReadingOfWeights) {
  const auto model = small_model();
  const Forecast one = forecast_of(*model, {.context = 64, .prefill_chunk = 32}).forecast;
  const Forecast eight = forecast_of(*model, {.sequences = 8, .context = 64, .prefill_chunk = 32}).forecast;
  EXPECT_GT(eight.tokens_per_second, 4 * one.tokens_per_second);
  EXPECT_LT(eight.memory_bytes, 2 * one.memory_bytes);
}

TEST(Forecast, WhatStaysInFilesTakesTheDisksTime) {
  const auto model = small_model();
  const GenerationShape shape{.context = 64, .prefill_chunk = 32};
  const Forecasted ample = forecast_of(*model, shape);
  const Forecasted tight = forecast_of(*model, shape, ample.job.predicted_peak_bytes - (int64_t{24} << 20));
  EXPECT_EQ(ample.forecast.file_bytes, 0);
  ASSERT_GT(tight.forecast.file_bytes, int64_t{16} << 20);
  const double seconds = static_cast<double>(tight.forecast.file_bytes) / 1e9;
  EXPECT_LT(tight.forecast.tokens_per_second, 1 / seconds);
  EXPECT_GT(tight.forecast.tokens_per_second, 0.5 / seconds);
}

}  // namespace
}  // namespace headroom
