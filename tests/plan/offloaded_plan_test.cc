// Plans of graphs some of whose values live on disk. plan_job() proves each with check_plan().
#include <gtest/gtest.h>

#include <random>

#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"
#include "headroom/passes/offload.h"
#include "headroom/passes/prefetch.h"
#include "headroom/plan/job.h"
#include "tests/plan/random_graph.h"
#include "tests/plan/sketch.h"

namespace headroom {
namespace {

TEST(OffloadedPlan, IsSoundWhateverLeaves) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const Graph before = testing::random_graph(seed, "random");
    std::mt19937_64 random(seed);
    OffloadPlan plan{.values = {}, .panel_bytes = 16384, .overlap = seed % 2 == 0};
    for (const Value& value : before.values) {
      if (random() % 3 == 0) plan.values.insert(value.name);
    }
    const Graph after = offload(before, plan);
    ASSERT_NO_THROW(verify(after)) << "seed " << seed << "\n" << to_text(after);
    const Graph early = prefetch(after, testing::sketched(2));
    ASSERT_NO_THROW(verify(early)) << "seed " << seed << "\n" << to_text(early);
    for (const Graph* graph : {&after, &early}) {
      ASSERT_NO_THROW(plan_job({.graphs = {graph}, .processor = testing::sketched(2)})) << "seed " << seed << "\n" << to_text(*graph);
    }
  }
}

}  // namespace
}  // namespace headroom
