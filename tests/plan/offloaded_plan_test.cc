// Plans of graphs some of whose values live on disk. plan_job() proves each with check_plan().
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "headroom/base/errors.h"
#include "headroom/graph/op.h"
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
    OffloadPlan plan{.values = {}, .panel_bytes = 16384, .in_flight_bytes = 32768 * static_cast<int64_t>(seed % 3)};
    for (const Value& value : before.values) {
      if (random() % 3 == 0) plan.values.insert(value.name);
    }
    const Graph after = offload(before, plan);
    ASSERT_NO_THROW(verify(after)) << "seed " << seed << "\n" << to_text(after);
    const Graph early = prefetch(after, testing::sketched(2));
    ASSERT_NO_THROW(verify(early)) << "seed " << seed << "\n" << to_text(early);
    for (const Graph* graph : {&after, &early}) {
      ASSERT_NO_THROW(plan_job({.graphs = {*graph}, .processor = testing::sketched(2)})) << "seed " << seed << "\n"
                                                                                         << to_text(*graph);
    }
  }
}

// Without the wait that `node` is: whoever goes on from it reads what it waits for.
Graph without_wait(Graph graph, size_t node) {
  const Node wait = graph.nodes[node];
  const size_t places = wait.op->transfer() == Transfer::store ? wait.outputs.size() : 0;  // behind as many buffers
  const auto redirect = [&](ValueId& id) {
    const auto found = std::find(wait.outputs.begin(), wait.outputs.end(), id);
    if (found != wait.outputs.end()) id = wait.inputs[places + static_cast<size_t>(found - wait.outputs.begin())];
  };
  graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(node));
  for (Node& other : graph.nodes) std::for_each(other.inputs.begin(), other.inputs.end(), redirect);
  std::for_each(graph.results.begin(), graph.results.end(), redirect);
  for (Carry& carry : graph.carries) redirect(carry.next);
  return graph;
}

// Lifetimes end at waits: where one is left out, the planner gives memory away that a lane still works on, or somebody
// reads what is not there, and the checker finds it.
TEST(OffloadedPlan, IsRefusedWithoutOneOfItsWaits) {
  size_t broken = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Graph before = testing::random_graph(seed, "random");
    OffloadPlan plan{.values = {}, .panel_bytes = 16384, .in_flight_bytes = static_cast<int64_t>(seed % 3) * 16384};
    for (const Value& value : before.values) plan.values.insert(value.name);
    const Graph after = prefetch(offload(before, plan), testing::sketched(2));
    for (size_t node = 0; node < after.nodes.size(); ++node) {
      if (after.nodes[node].op->course() != Course::wait) continue;
      const Graph graph = without_wait(after, node);
      ASSERT_THROW(plan_job({.graphs = {graph}, .processor = testing::sketched(2)}), InternalError)
          << "seed " << seed << ", node " << node << "\n"
          << to_text(after);
      ++broken;
    }
  }
  EXPECT_GT(broken, 500u);
}

}  // namespace
}  // namespace headroom
