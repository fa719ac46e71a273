#include "headroom/generate/generation_job.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "tests/generate/tiny_model.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

class GenerationJob : public ::testing::Test {
 protected:
  const std::unique_ptr<Model> model = make_llama(testing::tiny_config());  // 256 positions
  GenerateOptions options;
};

TEST_F(GenerationJob, TheContextIsWhatPromptAndNewTokensNeed) {
  EXPECT_EQ(context_for(options, *model, 10), 138);
  EXPECT_EQ(context_for(options, *model, 200), 256);  // all that the model has
  options.context = 64;
  EXPECT_EQ(context_for(options, *model, 10), 64);
}

TEST_F(GenerationJob, APromptThatDoesNotFitIsRefused) {
  EXPECT_EQ(context_for(options, *model, 255), 256);
  EXPECT_ERROR(InvalidInput, "the prompt has 256 tokens", context_for(options, *model, 256));
  options.context = 64;
  EXPECT_ERROR(InvalidInput, "--context 64", context_for(options, *model, 64));
  options.max_new_tokens = 0;
  EXPECT_EQ(context_for(options, *model, 64), 64);
}

TEST_F(GenerationJob, FlagsOutOfRangeAreNamed) {
  const auto expect_refused = [&](const char* flag, auto change) {
    GenerateOptions changed;
    change(changed);
    EXPECT_ERROR(InvalidInput, flag, read_generation_shape(changed, *model));
  };
  expect_refused("--context 257: the model has 256", [](GenerateOptions& o) { o.context = 257; });
  expect_refused("--context", [](GenerateOptions& o) { o.context = -1; });
  expect_refused("--max-new-tokens", [](GenerateOptions& o) { o.max_new_tokens = -1; });
  expect_refused("--prefill-chunk", [](GenerateOptions& o) { o.prefill_chunk = 0; });
  expect_refused("--temperature", [](GenerateOptions& o) { o.temperature = -0.1; });
  expect_refused("--temperature", [](GenerateOptions& o) { o.temperature = std::numeric_limits<double>::quiet_NaN(); });
  expect_refused("--top-k", [](GenerateOptions& o) { o.top_k = -1; });
  expect_refused("--top-p", [](GenerateOptions& o) { o.top_p = 0; });
  expect_refused("--top-p", [](GenerateOptions& o) { o.top_p = 1.1; });
}

TEST_F(GenerationJob, OnlyCutsOfTheVocabularyNeedItsOrder) {
  options.top_k = 5;
  EXPECT_FALSE(read_generation_shape(options, *model).orders_vocabulary);  // greedy
  options.temperature = 1;
  EXPECT_TRUE(read_generation_shape(options, *model).orders_vocabulary);
}

TEST_F(GenerationJob, TheNamedSmallestBudgetWorksAndOneMebibyteLessDoesNot) {
  options.context = 64;
  options.memory = "1MiB";
  int64_t smallest = 0;
  try {
    fit_generation(options, *model, 20000);
    FAIL();
  } catch (const BudgetExceeded& error) {
    smallest = error.smallest_budget_bytes;
  }
  options.memory = std::to_string(smallest);
  EXPECT_EQ(fit_generation(options, *model, 20000).job.predicted_peak_bytes, smallest);
  options.memory = std::to_string(smallest - 1024 * 1024);
  EXPECT_THROW(fit_generation(options, *model, 20000), BudgetExceeded);
}

TEST_F(GenerationJob, TheChunkIsTheLargestThatTheBudgetAllows) {
  options.context = 200;
  options.memory = "1GiB";
  EXPECT_EQ(fit_generation(options, *model, 20000).shape.prefill_chunk, 200);
  int64_t last = fit_generation(options, *model, 20000).job.predicted_peak_bytes;
  for (const int64_t chunk : {128, 32, 8}) {
    options.memory = std::to_string(last - 1);
    const FittedGeneration fitted = fit_generation(options, *model, 20000);
    EXPECT_EQ(fitted.shape.prefill_chunk, chunk);
    EXPECT_LT(fitted.job.predicted_peak_bytes, last);
    last = fitted.job.predicted_peak_bytes;
  }
  options.memory = std::to_string(last - 1);
  EXPECT_THROW(fit_generation(options, *model, 20000), BudgetExceeded);
  options.memory = "1GiB";
  options.prefill_chunk = 16;
  EXPECT_EQ(fit_generation(options, *model, 20000).shape.prefill_chunk, 16);
}

}  // namespace
}  // namespace headroom
