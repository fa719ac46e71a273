#include "headroom/passes/data_shards.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"
#include "headroom/passes/accumulate_gradients.h"

namespace headroom {
namespace {

// A weight that is used once, and one that is used twice.
Graph accumulating() {
  return accumulate_gradients(
      parse_graph("graph step\n"
                  "input %ids: i32[8] input\n"
                  "input %dy: f32[8, 4] input\n"
                  "input %w: f32[4] weight\n"
                  "input %t: f32[16, 4] weight\n"
                  "%w.gradient: f32[4] gradient = bias_gradient(%dy) backward\n"
                  "%a: f32[16, 4] activation = embedding_backward(%ids, %dy) {rows=16, add=0} backward\n"
                  "%b: f32[16, 4] activation = embedding_backward(%ids, %dy) {rows=16, add=0} backward\n"
                  "%t.gradient: f32[16, 4] gradient = add(%a, %b) backward\n"
                  "result %w.gradient\n"
                  "result %t.gradient\n"));
}

TEST(DataShards, TheLastShardJoinsThePartialSumsThatAreAlive) {
  const Graph six = join_last_shard(accumulating(), 6);
  verify(six);
  // 6 = 4 + 2, and 2 = 1 + the last.
  EXPECT_EQ(diff(accumulating(), six),
            "- %w.gradient: f32[4] gradient = bias_gradient(%dy, %w.gradient_sum) backward\n"
            "+ input %w.gradient_part.2: f32[4] gradient\n"
            "+ input %w.gradient_part.0: f32[4] gradient\n"
            "+ input %t.gradient_part.2: f32[16, 4] gradient\n"
            "+ input %t.gradient_part.0: f32[16, 4] gradient\n"
            "+ %w.gradient_of_shard: f32[4] gradient = bias_gradient(%dy, %w.gradient_sum) backward\n"
            "- %t.gradient: f32[16, 4] gradient = add(%a, %b) {in_place=1} backward\n"
            "- carry %w.gradient_sum = %w.gradient\n"
            "- carry %t.gradient_sum = %t.gradient\n"
            "+ %t.gradient_of_shard: f32[16, 4] gradient = add(%a, %b) {in_place=1} backward\n"
            "+ %w.gradient: f32[4] gradient = join_partials(%w.gradient_part.2, %w.gradient_part.0, "
            "%w.gradient_of_shard) {add=1} @w update\n"
            "+ %t.gradient: f32[16, 4] gradient = join_partials(%t.gradient_part.2, %t.gradient_part.0, "
            "%t.gradient_of_shard) {add=1} @t update\n"
            "+ carry %w.gradient_sum = %w.gradient_of_shard\n"
            "+ carry %t.gradient_sum = %t.gradient_of_shard\n"
            "+ carry %w.gradient_part.2 = %w.gradient\n"
            "+ carry %t.gradient_part.2 = %t.gradient\n");
}

TEST(DataShards, AShardIsKeptAtTheLevelThatItCompletes) {
  const Graph kept = keep_shard(accumulating(), 1);
  verify(kept);
  EXPECT_EQ(to_text(kept),
            "graph keep_shard_1\n"
            "input %w.gradient_part.1: f32[4] gradient\n"
            "input %w.gradient_part.0: f32[4] gradient\n"
            "input %w.gradient_sum: f32[4] gradient\n"
            "input %t.gradient_part.1: f32[16, 4] gradient\n"
            "input %t.gradient_part.0: f32[16, 4] gradient\n"
            "input %t.gradient_sum: f32[16, 4] gradient\n"
            "input %t.gradient_sum.1: f32[16, 4] gradient\n"
            "%w/join_partials: f32[4] gradient = join_partials(%w.gradient_part.1, %w.gradient_part.0, "
            "%w.gradient_sum) {add=0} @w update\n"
            "%t/add: f32[16, 4] gradient = add(%t.gradient_sum, %t.gradient_sum.1) @t update\n"
            "%t/join_partials: f32[16, 4] gradient = join_partials(%t.gradient_part.1, %t.gradient_part.0, %t/add) "
            "{add=0} @t update\n"
            "carry %w.gradient_part.1 = %w/join_partials\n"
            "carry %t.gradient_part.1 = %t/join_partials\n");
}

// An update of so many shards, each of `micro_batches` micro-batches.
Job job_of_shards(int64_t shards, int64_t micro_batches) {
  Job job{.graphs = {accumulating()},
          .schedules = {{.name = "update", .rows = {{.graph = 0, .fills = {"ids", "dy"}}}}}};
  add_micro_batches(job, keep_only_sums(job.graphs[0]), shards * micro_batches);
  add_data_shards(job, shards);
  return job;
}

std::string names_of_runs(const Job& job) {
  std::string names;
  for_each_run(job.schedule("update"),
               [&](const Row& row) { names += job.graphs[static_cast<size_t>(row.graph)].name + " "; });
  return names;
}

TEST(DataShards, RunOneAfterTheOther) {
  EXPECT_EQ(names_of_runs(job_of_shards(3, 1)),
            "zero_gradients micro keep_shard_0 zero_gradients micro keep_shard_1 zero_gradients step ");
  EXPECT_EQ(names_of_runs(job_of_shards(2, 2)), "zero_gradients micro micro keep_shard_0 zero_gradients micro step ");
}

TEST(DataShards, RowsDoNotGrowWithTheirNumber) {
  const Job job = job_of_shards(int64_t{1} << 20, 4);
  EXPECT_LT(job.schedules[0].rows.size() + job.schedules[0].blocks.size(), 100u);
  const std::vector<int64_t> runs = runs_of(job.schedules[0], job.graphs.size());
  EXPECT_EQ(runs[0], 1 << 20);        // zero_gradients
  EXPECT_EQ(runs[1], (4 << 20) - 1);  // micro
  EXPECT_EQ(runs[2], 1 << 19);        // keep_shard_0
  EXPECT_EQ(runs[3], 1 << 18);        // keep_shard_1
  EXPECT_EQ(runs.back(), 1);          // step
}

// The tree of n leaves by its definition: the left part is the largest power of two below n.
std::string tree(int first, int count) {
  if (count == 1) return std::to_string(first);
  int left = 1;
  while (2 * left < count) left *= 2;
  return "(" + tree(first, left) + "+" + tree(first + left, count - left) + ")";
}

TEST(DataShards, AnyNumberOfShardsMakesTheBalancedTree) {
  for (int shards = 2; shards <= 40; ++shards) {
    std::vector<std::string> parts(static_cast<size_t>(shard_levels(shards)));
    const auto join = [&](int last, auto alive) {
      std::string sum = std::to_string(last);
      for (size_t level = 0; level < parts.size(); ++level) {
        if (alive(static_cast<int>(level))) sum = "(" + parts[level] + "+" + sum + ")";
      }
      return sum;
    };
    const Job job = job_of_shards(shards, 3);
    int shard = 0;
    for_each_run(job.schedule("update"), [&](const Row& row) {
      const std::string& graph = job.graphs[static_cast<size_t>(row.graph)].name;
      if (!graph.starts_with("keep_shard_")) return;
      const int kept_at = graph.back() - '0';
      parts[static_cast<size_t>(kept_at)] = join(shard++, [&](int level) { return level < kept_at; });
    });
    ASSERT_EQ(shard, shards - 1);
    EXPECT_EQ(join(shards - 1, [&](int level) { return ((shards - 1) >> level & 1) != 0; }), tree(0, shards));
  }
}

}  // namespace
}  // namespace headroom
