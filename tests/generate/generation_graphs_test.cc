#include "headroom/generate/generation_graphs.h"

#include <gtest/gtest.h>

#include "headroom/backend/backend.h"
#include "headroom/graph/verify.h"
#include "headroom/plan/job.h"
#include "tests/generate/tiny_model.h"

namespace headroom {
namespace {

using testing::tiny_config;

Plan plan_of(std::vector<Graph> graphs) {
  return plan_job({.graphs = std::move(graphs), .processor = choose_backend().on(1)});
}

TEST(GenerationGraphs, StepsShrinkByQuartersToTheDecodeStep) {
  EXPECT_EQ(step_rows({.context = 999, .prefill_chunk = 128}), (std::vector<int64_t>{128, 32, 8, 1}));
  EXPECT_EQ(step_rows({.context = 999, .prefill_chunk = 7}), (std::vector<int64_t>{7, 1}));
  EXPECT_EQ(step_rows({.context = 999, .prefill_chunk = 2}), (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(step_rows({.context = 999, .prefill_chunk = 1}), (std::vector<int64_t>{1}));
}

TEST(GenerationGraphs, VerifyForTiedAndUntiedModels) {
  for (const bool tied : {true, false}) {
    const auto model = make_llama(tiny_config(tied));
    const auto graphs =
        build_generation_graphs(*model, {.context = 64, .prefill_chunk = 16, .orders_vocabulary = true});
    ASSERT_EQ(graphs.size(), 3u);
    for (const Graph& graph : graphs) verify(graph);
    EXPECT_EQ(graphs.back().name, "decode");
  }
}

TEST(GenerationGraphs, TheCacheHasTheContextsRowsOnceForAllSteps) {
  const auto model = make_llama(tiny_config());
  const Plan plan = plan_of(build_generation_graphs(*model, {.context = 64, .prefill_chunk = 16}));
  int64_t cache_bytes = 0;
  for (const PersistentValue& value : plan.persistent) {
    if (value.role == Role::kv_cache) cache_bytes += value.type.bytes();
  }
  EXPECT_EQ(cache_bytes, 2 /*layers*/ * 2 /*keys, values*/ * 64 * 2 /*heads*/ * 8 * 4);
}

TEST(GenerationGraphs, WeightsKeepTheDtypeOfTheFiles) {
  const auto model = make_llama(tiny_config(false, DType::bf16));
  const Plan plan = plan_of(build_generation_graphs(*model, {.context = 8, .prefill_chunk = 4}));
  for (const Parameter& parameter : model->parameters()) {
    ASSERT_NE(plan.find(parameter.name), nullptr) << parameter.name;
    EXPECT_EQ(plan.find(parameter.name)->type, (Type{DType::bf16, parameter.shape}));
  }
}

TEST(GenerationGraphs, SmallStepsCostNoMemoryBesideTheLargest) {
  const auto model = make_llama(tiny_config());
  auto graphs = build_generation_graphs(*model, {.context = 64, .prefill_chunk = 64});
  const int64_t all = plan_of(graphs).transient_bytes;
  graphs.resize(1);
  EXPECT_EQ(plan_of(graphs).transient_bytes, all);
}

}  // namespace
}  // namespace headroom
