#include "headroom/plan/schedule.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

// Graph 0, then twice (graph 1 three times, graph 2 in slot 1), then graph 0 again.
Schedule nested() {
  return {.name = "nested",
          .rows = {{.graph = 0}, {.block = 1, .times = 2}, {.graph = 0, .slot = 2}},
          .blocks = {{{.graph = 1, .times = 3}}, {{.block = 0}, {.graph = 2, .slot = 1}}}};
}

TEST(Schedule, RunsItsRowsInOrder) {
  std::string runs;
  for_each_run(nested(),
               [&](const Row& row) { runs += std::to_string(row.graph) + "." + std::to_string(row.slot) + " "; });
  EXPECT_EQ(runs, "0.0 1.0 1.0 1.0 2.1 1.0 1.0 1.0 2.1 0.2 ");
}

TEST(Schedule, CountsRunsWithoutWalking) {
  EXPECT_EQ(runs_of(nested(), 4), (std::vector<int64_t>{2, 6, 2, 0}));
  const Schedule large{
      .name = "large", .rows = {{.block = 0, .times = int64_t{1} << 40}}, .blocks = {{{.graph = 0, .times = 5}}}};
  EXPECT_EQ(runs_of(large, 1), std::vector<int64_t>{int64_t{5} << 40});
  const Schedule endless{.name = "endless",
                         .rows = {{.block = 0, .times = int64_t{1} << 40}},
                         .blocks = {{{.graph = 0, .times = int64_t{1} << 40}}}};
  EXPECT_THROW(runs_of(endless, 1), InvalidInput);
}

TEST(Schedule, KnowsTheRowOfTheLastRun) {
  Schedule schedule = nested();
  EXPECT_EQ(last_row(schedule).slot, 2);
  schedule.rows.pop_back();
  EXPECT_EQ(last_row(schedule).graph, 2);
}

}  // namespace
}  // namespace headroom
