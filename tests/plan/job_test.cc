#include "headroom/plan/job.h"

#include <gtest/gtest.h>

#include <numeric>

#include "headroom/base/errors.h"
#include "tests/plan/llama_step.h"
#include "tests/plan/sketch.h"

namespace headroom {
namespace {

using testing::Sketch;

TEST(Job, LendsItsTransientRegionToFiles) {
  Sketch sketch("train");
  const ValueId w = sketch.input(1000, Role::weight, "w");
  sketch.graph.results.push_back(sketch.value({w}, {500}));
  const Plan enough = plan_job({{sketch.graph}, testing::sketched(1), 512});
  EXPECT_EQ(enough.arena_bytes, 1024 + 512);
  EXPECT_EQ(enough.peak.graph, 0);

  const Plan more = plan_job({{sketch.graph}, testing::sketched(1), 3000});
  EXPECT_EQ(more.transient_bytes, 3008);
  EXPECT_EQ(more.arena_bytes, 1024 + 3008);
  EXPECT_EQ(more.lower_bound_bytes, more.arena_bytes);
  EXPECT_EQ(more.graphs[0].transient_bytes, 512);
  EXPECT_EQ(more.peak.graph, -1);
  EXPECT_EQ(more.peak.where, "while files are read or written");
  EXPECT_EQ(more.peak.largest[0].name, "blocks of files");
  EXPECT_EQ(more.peak.bytes_by_role[static_cast<size_t>(Role::staging)], 3008);
  EXPECT_EQ(more.peak.bytes_by_role[static_cast<size_t>(Role::weight)], 1024);

  const Plan alone = plan_job({{}, testing::sketched(1), 3000});  // of files and nothing else
  EXPECT_EQ(alone.arena_bytes, 3008);
  EXPECT_EQ(alone.peak.where, "while files are read or written");
}

TEST(Job, OfTwoGraphsHandComputed) {
  Sketch train("train");
  const ValueId ids = train.input(40, Role::input, "ids");  // 64
  const ValueId w = train.input(200, Role::weight, "w");    // 256
  train.scope = "layers.0";
  const ValueId y = train.value({w, ids}, {1000}, 30);  // node 0: 1024 + 64 of scratch
  train.scope = "w";
  train.phase = Phase::update;
  const auto updated = train.node({w, y}, {{200, 0, -1, Role::weight}, {4}}, 100);  // node 1: 1024 + 64 + 128
  train.graph.carries.push_back({w, updated[0]});
  train.graph.results.push_back(updated[1]);

  Sketch eval("eval");
  const ValueId other = eval.input(64, Role::input, "eval.ids");  // 64
  const ValueId same = eval.input(200, Role::weight, "w");
  const ValueId loss = eval.value({other, same}, {900});  // 960
  eval.graph.results.push_back(loss);

  const Plan plan = plan_job({{train.graph, eval.graph}, testing::sketched(2)});
  ASSERT_EQ(plan.persistent.size(), 3u);
  EXPECT_EQ(plan.persistent[0].offset_bytes, 0);
  EXPECT_EQ(plan.persistent[1].offset_bytes, 64);
  EXPECT_EQ(plan.persistent[2].offset_bytes, 64 + 256);
  EXPECT_EQ(plan.find("eval.ids"), &plan.persistent[2]);
  EXPECT_EQ(plan.find("y"), nullptr);
  EXPECT_EQ(plan.persistent_bytes, 384);
  EXPECT_EQ(plan.transient_bytes, 1024 + 64 + 128);
  EXPECT_EQ(plan.arena_bytes, 384 + 1216);
  EXPECT_EQ(plan.lower_bound_bytes, 1600);

  EXPECT_EQ(plan.graphs[0].live_bytes, (std::vector<int64_t>{384 + 1088, 384 + 1216}));
  EXPECT_EQ(plan.graphs[0].offsets_bytes[static_cast<size_t>(updated[0])], 64);
  EXPECT_EQ(plan.graphs[0].scratch_bytes, (std::vector<int64_t>{30, 100}));
  EXPECT_GE(plan.graphs[0].scratch_offsets_bytes[1], 384);
  EXPECT_EQ(plan.graphs[1].offsets_bytes[static_cast<size_t>(same)], 64);
  EXPECT_EQ(plan.graphs[1].offsets_bytes[static_cast<size_t>(loss)], 384);
  EXPECT_EQ(plan.graphs[1].scratch_offsets_bytes[0], kNoOffset);
  EXPECT_EQ(plan.graphs[1].transient_bytes, 960);

  EXPECT_EQ(plan.peak.graph, 0);
  EXPECT_EQ(plan.graphs[0].name, "train");
  EXPECT_EQ(plan.peak.node, 1);
  EXPECT_EQ(plan.peak.where, "in the update of w (sized)");
  const auto role = [&](Role wanted) { return plan.peak.bytes_by_role[static_cast<size_t>(wanted)]; };
  EXPECT_EQ(role(Role::input), 128);
  EXPECT_EQ(role(Role::weight), 256);
  EXPECT_EQ(role(Role::activation), 1088);
  EXPECT_EQ(role(Role::scratch), 128);
  ASSERT_EQ(plan.peak.largest.size(), 6u);
  EXPECT_EQ(plan.peak.largest[0].name, "v2");
  EXPECT_EQ(plan.peak.largest[0].size_bytes, 1024);
  EXPECT_EQ(plan.peak.largest[1].name, "w");
  EXPECT_EQ(plan.peak.largest[2].name, "scratch of sized");
}

TEST(Job, GraphsThatDisagreeAboutAnInputAreRefused) {
  Sketch a("a");
  a.value({a.input(64, Role::weight, "w")}, {64});
  Sketch b("b");
  b.value({b.input(128, Role::weight, "w")}, {64});
  try {
    plan_job({{a.graph, b.graph}, testing::sketched(1)});
    FAIL() << "planned";
  } catch (const InternalError& error) {
    EXPECT_STREQ(error.what(),
                 "internal error: the input 'w' of graph 'b' is shared within the job; expected f32[16], got f32[32]");
  }
}

TEST(Job, WithoutNodesHasAPeak) {
  Sketch sketch("empty");
  sketch.input(100, Role::weight, "w");
  const Plan plan = plan_job({{sketch.graph}, testing::sketched(1)});
  EXPECT_EQ(plan.arena_bytes, 128);
  EXPECT_EQ(plan.lower_bound_bytes, 128);
  EXPECT_EQ(plan.peak.where, "before the first node");
}

TEST(Job, OfATrainingStepAddsUp) {
  const Graph graph = testing::llama_step({.layers = 4, .tokens = 300, .updates_last = true});
  const Plan plan = plan_job({{graph}, testing::sketched(2)});
  EXPECT_EQ(std::accumulate(plan.peak.bytes_by_role.begin(), plan.peak.bytes_by_role.end(), int64_t{0}),
            plan.lower_bound_bytes);
  EXPECT_LE(static_cast<double>(plan.arena_bytes), 1.02 * static_cast<double>(plan.lower_bound_bytes));
  EXPECT_EQ(plan.peak.largest.size(), kLargestListed);
  EXPECT_EQ(plan.peak.largest[0].size_bytes, 4 * 102400 * 4096LL);
  EXPECT_EQ(plan.graphs[0].lower_bound_bytes, plan.lower_bound_bytes);
}

}  // namespace
}  // namespace headroom
