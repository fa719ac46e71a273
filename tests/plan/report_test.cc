#include "headroom/plan/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "headroom/base/bytes.h"
#include "tests/plan/sketch.h"

namespace headroom {
namespace {

// A plan with one byte of everything to show: at the peak w, w.m, the two activations and scratch.
Plan sample(testing::Sketch& train) {
  const ValueId w = train.input(2 * kMiB, Role::weight, "lm_head");
  const ValueId m = train.input(2 * kMiB, Role::optimizer_state, "lm_head.m");
  train.scope = "layers.0";
  const ValueId y = train.value({w}, {1 * kMiB});
  train.scope = "lm_head";
  train.phase = Phase::update;
  const auto updated = train.node(
      {w, m, y}, {{2 * kMiB, 0, -1, Role::weight}, {2 * kMiB, 1, -1, Role::optimizer_state}, {100}}, 10 * kKiB);
  train.graph.carries = {{w, updated[0]}, {m, updated[1]}};
  train.graph.results.push_back(updated[2]);
  return plan_job({{train.graph}, testing::sketched(2)});
}

TEST(Report, TableOfAHandComputedPlan) {
  testing::Sketch train("train");
  EXPECT_EQ(plan_table(sample(train), {20 * kMiB, 64 * kMiB}),
            "Memory at the peak: in the update of lm_head (sized), node 2 of 2 of 'train'\n"
            "  weight                2.00 MiB             2,097,152 B\n"
            "  optimizer state       2.00 MiB             2,097,152 B\n"
            "  activation            1.00 MiB             1,048,704 B\n"
            "  scratch              10.00 KiB                10,240 B\n"
            "  gaps                       0 B                     0 B\n"
            "  ------------------------------------------------------\n"
            "  arena                 5.01 MiB             5,253,248 B\n"
            "  process reserve      20.00 MiB            20,971,520 B\n"
            "  ------------------------------------------------------\n"
            "  predicted peak       25.01 MiB            26,224,768 B\n"
            "  budget               64.00 MiB            67,108,864 B\n"
            "Largest at the peak\n"
            "                        2.00 MiB  lm_head (weight)\n"
            "                        2.00 MiB  lm_head.m (optimizer state)\n"
            "                        1.00 MiB  v2 (activation)\n"
            "                       10.00 KiB  scratch of sized (scratch)\n"
            "                           128 B  v5 (activation)\n");
}

TEST(Report, TableWithoutABudgetHasNoSuchLine) {
  testing::Sketch train("train");
  EXPECT_EQ(plan_table(sample(train), {0, 0}).find("budget"), std::string::npos);
}

TEST(Report, JsonHasTheContractsKeys) {
  testing::Sketch train("train");
  const Plan plan = sample(train);
  const nlohmann::ordered_json json = plan_json(plan, {20 * kMiB, 64 * kMiB});
  EXPECT_EQ(json.at("budget_bytes"), 64 * kMiB);
  EXPECT_EQ(json.at("predicted_peak_bytes"), 26224768);
  EXPECT_EQ(json.at("arena_bytes"), 5253248);
  EXPECT_EQ(json.at("reserve_bytes"), 20 * kMiB);
  EXPECT_EQ(json.at("lower_bound_bytes"), 5253248);
  EXPECT_EQ(json.at("persistent_bytes"), 4 * kMiB);
  EXPECT_EQ(json.at("peak").at("graph"), "train");
  EXPECT_EQ(json.at("peak").at("node"), 1);
  EXPECT_EQ(json.at("peak").at("bytes_by_role").at("optimizer_state"), 2 * kMiB);
  EXPECT_EQ(json.at("peak").at("largest").size(), 5u);
  EXPECT_EQ(json.at("peak").at("largest")[1].at("name"), "lm_head.m");
  EXPECT_EQ(json.at("graphs")[0].at("nodes"), 2);
  EXPECT_FALSE(plan_json(plan, {0, 0}).contains("budget_bytes"));
}

TEST(Report, RefusalsNameTheLargest) {
  testing::Sketch train("train");
  EXPECT_EQ(
      largest_at_peak(sample(train), 2),
      "Largest at the peak, in the update of lm_head (sized): lm_head (weight) 2.00 MiB, lm_head.m (optimizer state) "
      "2.00 MiB");
}

}  // namespace
}  // namespace headroom
