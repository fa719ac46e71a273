// The checker is tried from both sides: it accepts what the planner makes of hundreds of random jobs, and it notices
// every way in which a plan is broken on purpose.
#include "headroom/plan/check.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "headroom/base/errors.h"
#include "headroom/graph/verify.h"
#include "tests/plan/llama_step.h"
#include "tests/plan/random_graph.h"
#include "tests/plan/sketch.h"

namespace headroom {
namespace {

using testing::Sketch;

std::string error_of(const Job& job, const Plan& plan) {
  try {
    check_plan(job, plan);
  } catch (const InternalError& error) {
    return error.what();
  }
  return "";
}

class CheckedPlan : public ::testing::Test {
 protected:
  void SetUp() override {
    w = sketch.input(100, Role::weight, "w");
    x = sketch.input(64, Role::input, "x");
    a = sketch.value({w, x}, {256}, 70);
    b = sketch.value({a}, {256, -1, 0});  // takes over a
    c = sketch.value({b, x}, {128});      // b dies
    d = sketch.value({c}, {256}, 10);
    next = sketch.value({w, d}, {100, 0});
    sketch.graph.carries.push_back({w, next});
    sketch.graph.results.push_back(c);
    verify(sketch.graph);
    job.graphs = {sketch.graph};
    plan = plan_job(job);
  }
  int64_t& offset(ValueId id) { return plan.graphs[0].offsets_bytes[static_cast<size_t>(id)]; }
  void expect_error(const std::string& part) {
    const std::string error = error_of(job, plan);
    EXPECT_NE(error.find(part), std::string::npos) << "got: " << error;
  }

  Sketch sketch{"step"};
  Job job{{}, testing::sketched(2)};
  Plan plan;
  ValueId w, x, a, b, c, d, next;
};

TEST_F(CheckedPlan, IsSound) {
  EXPECT_EQ(error_of(job, plan), "");
  EXPECT_EQ(offset(a), offset(b));
}

TEST_F(CheckedPlan, NoticesTwoLiveValuesOnOnePlace) {
  offset(c) = offset(b);
  expect_error(fmt::format("graph 'step', node 2 (sized): 'v4' (bytes {} to {}) overlaps 'v3' (bytes {} to {})",
                           offset(b), offset(b) + 128, offset(b), offset(b) + 256));
}

TEST_F(CheckedPlan, NoticesAPartialOverlap) {
  offset(c) = offset(b) + 192;
  plan.arena_bytes += 64;
  plan.transient_bytes += 64;
  expect_error("'v4'");
}

TEST_F(CheckedPlan, NoticesAResultThatIsOverwritten) {
  offset(d) = offset(c);
  plan.arena_bytes += 256;
  plan.transient_bytes += 256;
  expect_error("overlaps 'v4'");
}

TEST_F(CheckedPlan, NoticesACarryToAnotherPlace) {
  job.graphs[0].carries.push_back({x, d});
  expect_error("'x' is carried as 'v5' but lies elsewhere");
}

TEST_F(CheckedPlan, NoticesAnUpdateThatMoves) {
  offset(next) = offset(b);
  expect_error("'w' is updated in place, but 'v6' lies elsewhere");
}

TEST_F(CheckedPlan, NoticesAWrongAlignment) {
  offset(d) += 32;
  expect_error("does not lie on a line of 64");
}

TEST_F(CheckedPlan, NoticesTheArenasEnd) {
  offset(d) = plan.arena_bytes - 192;
  expect_error(fmt::format("within the {} bytes of the device", plan.arena_bytes));
}

TEST_F(CheckedPlan, NoticesAnInputOverwritten) {
  offset(d) = offset(x) - 128;  // over w and x
  expect_error("overlaps 'w'");
}

TEST_F(CheckedPlan, NoticesAnInputThatMoved) {
  offset(x) = plan.arena_bytes - 64;
  expect_error("'x' lies at");
}

TEST_F(CheckedPlan, NoticesScratchOnALiveValue) {
  plan.graphs[0].scratch_offsets_bytes[3] = offset(c) + 64;
  expect_error("'scratch' (bytes");
}

TEST_F(CheckedPlan, NoticesScratchOfAnotherSize) {
  plan.graphs[0].scratch_bytes[0] = 69;
  expect_error("69 bytes of scratch; expected 70");
}

TEST_F(CheckedPlan, NoticesATakeoverTheOpDoesNotAllow) {
  job.graphs[0].nodes[1].attributes = {{"bytes_0", int64_t{256}}};
  expect_error("'v3'");
}

TEST_F(CheckedPlan, NoticesATakeoverOfWhatIsReadAgain) {
  job.graphs[0].nodes[3].inputs.push_back(a);
  expect_error("overlaps 'v2'");
}

TEST_F(CheckedPlan, NoticesAPersistentValueOfAnotherGraphOverwritten) {
  Sketch other("other");
  other.value({other.input(64, Role::weight, "z")}, {64});
  job.graphs.push_back(other.graph);
  plan = plan_job(job);
  offset(c) = plan.find("z")->offset_bytes - 64;
  expect_error("'v4'");
}

TEST(Check, NoticesAnyTransientValueMovedOntoAnother) {
  const Graph graph = testing::llama_step({.layers = 2, .tokens = 40, .hidden = 64, .inner = 160, .vocabulary = 500});
  const Job job{{graph}, testing::sketched(2)};
  const Plan plan = plan_job(job);
  // Each node's first output moved onto each of its operands: only what the op may take over is sound.
  int noticed = 0;
  for (const Node& node : graph.nodes) {
    for (const ValueId operand : node.inputs) {
      Plan broken = plan;
      int64_t& offset = broken.graphs[0].offsets_bytes[static_cast<size_t>(node.outputs[0])];
      const int64_t target = broken.graphs[0].offsets_bytes[static_cast<size_t>(operand)];
      if (offset == target || node.attributes.has("reuse_0")) continue;
      offset = target;
      EXPECT_NE(error_of(job, broken), "") << graph.value(node.outputs[0]).name << " on " << graph.value(operand).name;
      ++noticed;
    }
  }
  EXPECT_GT(noticed, 100);
}

class FuzzedJob : public ::testing::TestWithParam<int> {};

// What plan_job() makes of random jobs is sound (it checks itself, with threads that change scratch), its sums add up,
// and moving one value is noticed unless the new place is free all its life.
TEST_P(FuzzedJob, IsSoundAndBreaksWhenMoved) {
  int broken_plans = 0;
  for (int i = 0; i < 100; ++i) {
    const auto seed = static_cast<uint64_t>(GetParam() * 100 + i);
    const Graph first = testing::random_graph(2 * seed, "first");
    const Graph second = testing::random_graph(2 * seed + 1, "second");
    ASSERT_NO_THROW(verify(first)) << "seed " << seed;
    ASSERT_NO_THROW(verify(second)) << "seed " << seed;
    Job job{{first, second}, testing::sketched(1 + i % 3)};
    for (const ValueId input : first.inputs) {
      if ((seed + static_cast<uint64_t>(input)) % 3 == 0) job.slots[first.value(input).name] = 2 + i % 2;
    }
    Plan plan;
    ASSERT_NO_THROW(plan = plan_job(job)) << "seed " << seed;
    ASSERT_EQ(plan.arena_bytes, plan.persistent_bytes + plan.transient_bytes);
    ASSERT_LE(plan.lower_bound_bytes, plan.arena_bytes);
    int64_t at_peak = 0;
    for (const int64_t bytes : plan.peak.bytes_by_role) at_peak += bytes;
    ASSERT_EQ(at_peak, plan.lower_bound_bytes) << "seed " << seed;

    std::mt19937_64 random(seed);
    auto& offsets = plan.graphs[0].offsets_bytes;
    for (int tries = 0; tries < 10; ++tries) {
      const size_t moved = random() % offsets.size();
      const size_t target = random() % offsets.size();
      if (offsets[moved] < 0 || offsets[target] < 0 || offsets[moved] == offsets[target]) continue;
      const int64_t before = std::exchange(offsets[moved], offsets[target]);
      broken_plans += error_of(job, plan).empty() ? 0 : 1;
      offsets[moved] = before;
    }
    ASSERT_EQ(error_of(job, plan), "");
    for (const ValueId input : first.inputs) {  // a copy that lies on the first one
      if (job.slots_of(first.value(input).name) == 1 || first.value(input).bytes() == 0) continue;
      int64_t& apart = plan.graphs[0].slot_bytes[static_cast<size_t>(input)];
      const int64_t before = std::exchange(apart, 0);
      ASSERT_NE(error_of(job, plan), "") << "seed " << seed;
      apart = before;
    }
  }
  EXPECT_GT(broken_plans, 100);
}

INSTANTIATE_TEST_SUITE_P(Seeds, FuzzedJob, ::testing::Range(0, 8));

}  // namespace
}  // namespace headroom
