#include "headroom/generate/generation_job.h"

#include <gtest/gtest.h>

#include "headroom/api/job_settings.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "tests/generate/tiny_model.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

class GenerationJob : public ::testing::Test {
 protected:
  const std::unique_ptr<Model> model = make_llama(testing::tiny_config());  // 256 positions
  GenerateOptions options;

  int64_t context_of(int64_t prompt_tokens) { return context_for(generation_settings(options), *model, prompt_tokens); }
  FittedGeneration fit(int64_t budget_bytes) {
    return fit_generation(generation_settings(options), *model, {budget_bytes}, 20000);
  }
};

TEST_F(GenerationJob, TheContextIsWhatPromptAndNewTokensNeed) {
  EXPECT_EQ(context_of(10), 138);
  EXPECT_EQ(context_of(200), 256);  // all that the model has
  options.context = 64;
  EXPECT_EQ(context_of(10), 64);
}

TEST_F(GenerationJob, APromptThatDoesNotFitIsRefused) {
  EXPECT_EQ(context_of(255), 256);
  EXPECT_ERROR(InvalidInput, "the prompt has 256 tokens", context_of(256));
  options.context = 64;
  EXPECT_ERROR(InvalidInput, "--context 64", context_of(64));
  options.max_new_tokens = 0;
  EXPECT_EQ(context_of(64), 64);
}

TEST_F(GenerationJob, FlagsOutOfRangeAreNamed) {
  const auto expect_refused = [&](const char* flag, auto change) {
    GenerateOptions changed;
    change(changed);
    EXPECT_ERROR(InvalidInput, flag, generation_shape(generation_settings(changed), *model));
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
  EXPECT_FALSE(generation_shape(generation_settings(options), *model).orders_vocabulary);  // greedy
  options.temperature = 1;
  EXPECT_TRUE(generation_shape(generation_settings(options), *model).orders_vocabulary);
}

TEST_F(GenerationJob, TheNamedSmallestBudgetWorksAndOneMebibyteLessDoesNot) {
  options.context = 64;
  int64_t smallest = 0;
  try {
    fit(kMiB);
    FAIL();
  } catch (const BudgetExceeded& error) {
    smallest = error.smallest_budget_bytes;
  }
  EXPECT_EQ(fit(smallest).job.predicted_peak_bytes, smallest);
  EXPECT_THROW(fit(smallest - kMiB), BudgetExceeded);
}

TEST_F(GenerationJob, TheChunkIsTheLargestThatTheBudgetAllows) {
  options.context = 200;
  EXPECT_EQ(fit(kGiB).shape.prefill_chunk, 200);
  int64_t last = fit(kGiB).job.predicted_peak_bytes;
  for (const int64_t chunk : {128, 32, 8}) {
    const FittedGeneration fitted = fit(last - 1);
    EXPECT_EQ(fitted.shape.prefill_chunk, chunk);
    EXPECT_LT(fitted.job.predicted_peak_bytes, last);
    last = fitted.job.predicted_peak_bytes;
  }
  EXPECT_THROW(fit(last - 1), BudgetExceeded);
  options.prefill_chunk = 16;
  EXPECT_EQ(fit(kGiB).shape.prefill_chunk, 16);
}

}  // namespace
}  // namespace headroom
