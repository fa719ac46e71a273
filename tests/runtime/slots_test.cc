// Values that survive from one run to a later one, several copies of each: random pipelines of two graphs, in which
// what the first leaves in a slot waits there for the second, against the same sums on the host.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <random>

#include "headroom/backend/isa.h"
#include "headroom/graph/builder.h"
#include "headroom/ops/join_partials.h"
#include "headroom/runtime/workspace.h"

namespace headroom {
namespace {

class RandomPipeline {
 public:
  explicit RandomPipeline(uint64_t seed) : random_(seed) {
    slots_ = 1 + static_cast<int32_t>(random_() % 4);
    for (size_t kept = 1 + random_() % 3; sizes_.size() < kept;) {
      sizes_.push_back(1 + static_cast<int64_t>(random_() % 100));
    }
    job_.graphs = {forward(), backward()};
    job_.processor = cpu_backend(Isa::reference).on(1);
    add_rows();
    if (slots_ == 1) return;
    job_.slots["x"] = slots_;
    for (size_t i = 0; i < sizes_.size(); ++i) job_.slots[kept_name(i)] = slots_;
  }

  const Job& job() const { return job_; }

  // What all runs add up to, element by element, in "sum.I".
  void expect_sums() {
    const Plan plan = plan_job(job_);
    Workspace workspace(job_.graphs, plan, cpu_backend(Isa::reference));
    std::vector<float> in_slot(static_cast<size_t>(slots_));
    float next = 0;
    float sum = 0;
    for_each_run(workspace.plan().schedule("update"), [&](const Row& row) {
      const auto slot = static_cast<size_t>(row.slot);
      if (row.graph == 0) {
        in_slot[slot] = ++next;
        *workspace.view<float>("x", row.slot) = next;
      } else {
        sum += in_slot[slot] + in_slot[slot];
      }
      workspace.at(row).run();
    });
    for (size_t i = 0; i < sizes_.size(); ++i) {
      for (const float element : workspace.view<float>(fmt::format("sum.{}", i)).all()) ASSERT_EQ(element, sum);
    }
  }

 private:
  static std::string kept_name(size_t i) { return fmt::format("kept.{}", i); }

  // Leaves x in each element of kept.I.
  Graph forward() const {
    Graph graph;
    graph.name = "forward";
    Builder build(graph);
    const ValueId x = build.input("x", f32({1, 1}), Role::input);
    for (size_t i = 0; i < sizes_.size(); ++i) {
      const ValueId kept = build.input(kept_name(i), f32({sizes_[i], 1}), Role::activation);
      const ValueId rows = build.input(fmt::format("zeros.{}", i), i32({sizes_[i]}), Role::input);
      build.carry(kept, join_partials(build, kept, {build.value("embedding", {x, rows})}));
    }
    return graph;
  }

  // Adds twice kept.I to sum.I.
  Graph backward() const {
    Graph graph;
    graph.name = "backward";
    Builder build(graph);
    for (size_t i = 0; i < sizes_.size(); ++i) {
      const ValueId kept = build.input(kept_name(i), f32({sizes_[i], 1}), Role::activation);
      const ValueId sum = build.input(fmt::format("sum.{}", i), f32({sizes_[i], 1}), Role::optimizer_state);
      build.carry(sum, join_partials(build, sum, {build.value("add", {kept, kept})}, true));
    }
    return graph;
  }

  // Forwards into free slots and backwards from others, in any order.
  void add_rows() {
    Schedule update{.name = "update"};
    for (size_t i = 0; i < sizes_.size(); ++i) update.given.push_back(fmt::format("zeros.{}", i));
    std::vector<int32_t> free;
    std::vector<int32_t> waiting;
    for (int32_t slot = 0; slot < slots_; ++slot) free.push_back(slot);
    for (int left = 20; left > 0 || !waiting.empty();) {
      const bool goes_forward = left > 0 && !free.empty() && (waiting.empty() || random_() % 2 == 0);
      std::vector<int32_t>& from = goes_forward ? free : waiting;
      const size_t at = random_() % from.size();
      const int32_t slot = from[at];
      from.erase(from.begin() + static_cast<std::ptrdiff_t>(at));
      (goes_forward ? waiting : free).push_back(slot);
      if (goes_forward) --left;
      Row row{.graph = goes_forward ? 0 : 1, .slot = slot};
      if (goes_forward) row.fills = {"x"};
      update.rows.push_back(row);
    }
    job_.schedules = {update};
  }

  std::mt19937_64 random_;
  int32_t slots_ = 1;
  std::vector<int64_t> sizes_;  // rows of each value that is kept
  Job job_;
};

TEST(Slots, KeepWhatWaitsForALaterRun) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomPipeline(seed).expect_sums();
    if (HasFatalFailure()) return;
  }
}

TEST(Slots, TakeTheBytesOfTheirCopies) {
  Job job = RandomPipeline(5).job();
  job.slots.clear();
  job.schedules.clear();
  const int64_t one = plan_job(job).persistent_bytes;
  job.slots = {{"kept.0", 3}};
  const Plan plan = plan_job(job);
  EXPECT_EQ(plan.persistent_bytes, one + 2 * plan.find("kept.0")->slot_bytes);
  EXPECT_EQ(plan.lower_bound_bytes - plan_job({.graphs = job.graphs, .processor = job.processor}).lower_bound_bytes,
            2 * plan.find("kept.0")->slot_bytes);
}

}  // namespace
}  // namespace headroom
