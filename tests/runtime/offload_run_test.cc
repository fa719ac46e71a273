// Graphs that were offloaded compute what they computed before, to the bit.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "headroom/graph/builder.h"
#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"
#include "headroom/passes/offload.h"
#include "headroom/passes/prefetch.h"
#include "headroom/runtime/workspace.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

// A step of a few weights: sums that read them, early and late; gradients; their norm; updates.
Graph random_step(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](size_t bound) { return static_cast<size_t>(random() % bound); };
  Graph graph;
  graph.name = "step";
  Builder build(graph);
  const int64_t rows = 1 + static_cast<int64_t>(below(12));
  const Type type = f32({rows, 1000 + static_cast<int64_t>(below(3000))});
  std::vector<ValueId> weights;
  for (size_t i = 0; i < 1 + below(4); ++i) weights.push_back(build.input(fmt::format("w{}", i), type, Role::weight));
  const ValueId scalars = build.input("scalars", f32({3}), Role::input);
  std::vector<ValueId> values = weights;
  const auto any = [&] { return values[below(values.size())]; };
  for (size_t i = 0; i < 3 + below(30); ++i) {
    build.set_segment(layer_segment(i / 4));
    values.push_back(build.value("add", {any(), any()}));
  }
  build.set_phase(Phase::backward);
  std::vector<ValueId> gradients;
  std::vector<ValueId> norms;
  for (size_t i = 0; i < weights.size(); ++i) {
    build.set_segment({"gradients"});
    gradients.push_back(build.value("add", {any(), any()}, {}, Role::gradient));
    norms.push_back(build.value("squared_norm", {gradients.back()}));
    for (size_t more = below(12); more > 0; --more) values.push_back(build.value("add", {any(), any()}));
  }
  build.set_phase(Phase::update);
  const std::vector<ValueId> clip = build.node("clip_scale", norms, {{"max_norm", 1.0}});
  build.result(clip[0]);
  for (size_t i = 0; i < weights.size(); ++i) {
    if (below(3) == 0) {
      build.carry(weights[i], build.value("sgd", {weights[i], gradients[i], scalars, clip[1]}, {}, Role::weight));
      continue;
    }
    const ValueId m = build.input(fmt::format("m{}", i), type, Role::optimizer_state);
    const ValueId v = build.input(fmt::format("v{}", i), type, Role::optimizer_state);
    const std::vector<ValueId> next =
        build.node("adamw", {weights[i], m, v, gradients[i], scalars, clip[1]},
                   {{"beta1", 0.9}, {"beta2", 0.95}, {"eps", 1e-8}, {"weight_decay", 0.1}}, Role::optimizer_state);
    graph.value(next[0]).role = Role::weight;
    build.carry(weights[i], next[0]);
    build.carry(m, next[1]);
    build.carry(v, next[2]);
  }
  verify(graph);
  return graph;
}

// Every graph input after three steps, and the results of each, as bytes by name.
std::vector<std::vector<std::byte>> run(const Graph& graph, const std::string& directory) {
  Job job{.graphs = {graph}, .processor = choose_backend().on(1)};
  Plan plan = plan_job(job);
  Workspace workspace({graph}, plan, choose_backend(), directory);
  std::mt19937_64 random(11);
  std::vector<std::vector<std::byte>> all;
  const auto access = [&](bool writes) {
    for (const ValueId id : graph.inputs) {
      const PersistentValue& value = *workspace.plan().find(graph.value(id).name);
      const int64_t pages = (value.type.bytes() + 4095) / 4096 * 4096;
      std::vector<std::byte> memory(static_cast<size_t>(pages + 4096));
      std::byte* aligned = memory.data() + (4096 - reinterpret_cast<uintptr_t>(memory.data()) % 4096);
      std::vector<std::byte> bytes(static_cast<size_t>(value.type.bytes()));
      if (writes) {
        for (size_t i = 0; i < bytes.size(); i += 4) {
          const float number = static_cast<float>(random() % 1000) * 1e-3f + 1e-3f;
          std::memcpy(bytes.data() + i, &number, 4);
        }
        if (value.tier == Tier::disk) {
          std::memcpy(aligned, bytes.data(), bytes.size());
          workspace.offload_file()->write(value.offset_bytes, aligned, pages);
        } else {
          std::memcpy(workspace.persistent(value).data, bytes.data(), bytes.size());
        }
      } else {
        if (value.tier == Tier::disk) {
          workspace.offload_file()->read(value.offset_bytes, aligned, pages);
          std::memcpy(bytes.data(), aligned, bytes.size());
        } else {
          std::memcpy(bytes.data(), workspace.persistent(value).data, bytes.size());
        }
        all.push_back(std::move(bytes));
      }
    }
  };
  access(true);
  for (int step = 0; step < 3; ++step) {
    workspace.at("step").run();
    for (const ValueId id : graph.results) {
      const auto bytes = std::as_bytes(workspace.at("step").result<float>(graph.value(id).name).all());
      all.emplace_back(bytes.begin(), bytes.end());
    }
  }
  access(false);
  return all;
}

TEST(OffloadRun, ChangesNoBitWhateverLeaves) {
  const TemporaryDirectory directory;
  int moved = 0;
  for (uint64_t seed = 0; seed < 24; ++seed) {
    const Graph plain = random_step(seed);
    const auto expected = run(plain, "");
    std::mt19937_64 random(seed);
    for (const bool overlap : {false, true}) {
      OffloadPlan plan{
          .values = {}, .panel_bytes = 16384 << (seed % 3), .in_flight_bytes = overlap ? 16384 << (seed % 5) : 0};
      for (const Value& value : plain.values) {
        if (random() % 2 == 0) plan.values.insert(value.name);
      }
      plan.values.erase("scalars");
      Graph graph = offload(plain, plan);
      verify(graph);
      if (overlap) graph = prefetch(std::move(graph), choose_backend().on(1));
      verify(graph);
      moved += graph.nodes.size() > plain.nodes.size() ? 1 : 0;
      ASSERT_EQ(run(graph, directory.path()), expected) << "seed " << seed << "\n" << to_text(graph);
    }
  }
  EXPECT_GT(moved, 40);
}

TEST(OffloadRun, TakesAsMuchAsIsAskedFor) {
  const Graph plain = random_step(3);
  const OffloadKinds all = {.optimizer = true, .activations = true, .weights = true};
  size_t left = 0;
  for (const double share : {0.0, 0.01, 0.5, 1.0}) {
    const OffloadPlan plan = plan_offload(plain, {.kinds = all, .share = share});
    EXPECT_GE(plan.values.size(), left);
    left = plan.values.size();
    EXPECT_EQ(left == 0, share == 0);
  }
  EXPECT_TRUE(plan_offload(plain, {.kinds = {}, .share = 1}).values.empty());
}

}  // namespace
}  // namespace headroom
