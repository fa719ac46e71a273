#include "headroom/plan/working_memory.h"

#include <gtest/gtest.h>

#include "tests/plan/sketch.h"

namespace headroom {
namespace {

// By hand: `x` is an input; `a` and `b` are activations; `g` is a gradient, and no working memory.
TEST(WorkingMemory, IsWhatIsNoState) {
  testing::Sketch step("step");
  const ValueId x = step.input(64, Role::input);
  const ValueId w = step.input(4096, Role::weight);
  step.input(640, Role::kv_cache);
  const ValueId a = step.value({x, w}, {128});
  const ValueId b = step.value({a, w}, {256}, 1000);
  step.phase = Phase::backward;
  const ValueId g = step.value({a, b}, {8192, -1, -1, Role::gradient});
  step.phase = Phase::update;
  const ValueId next = step.value({w, g}, {4096, 0, -1, Role::weight});
  step.graph.carries.push_back({w, next});
  const WorkingMemory memory = working_memory(std::span(&step.graph, 1), testing::sketched(2));
  EXPECT_EQ(memory.peak_bytes, 64 + 128 + 256 + 1024);  // in the second node, its scratch in whole lines
  EXPECT_EQ(memory.saved_bytes, 128 + 256);
  EXPECT_EQ(memory.cache_bytes, 640);
}

TEST(WorkingMemory, OfTwoGraphsCountsTheirCommonInputsOnce) {
  testing::Sketch first("micro");
  testing::Sketch second("step");
  for (testing::Sketch* graph : {&first, &second}) {
    const ValueId x = graph->input(6400, Role::input, "tokens");
    graph->graph.results.push_back(graph->value({x}, {graph == &first ? 64 : 128}));
  }
  const std::vector<Graph> graphs = {first.graph, second.graph};
  EXPECT_EQ(working_memory(graphs, testing::sketched(1)).peak_bytes, 6400 + 128);
}

}  // namespace
}  // namespace headroom
