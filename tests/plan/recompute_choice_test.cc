#include "headroom/plan/recompute_choice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "headroom/backend/backend.h"
#include "headroom/graph/verify.h"
#include "headroom/models/presets.h"
#include "headroom/passes/checkpoint.h"
#include "headroom/plan/lifetimes.h"
#include "headroom/train/training_graphs.h"

namespace headroom {
namespace {

// The step of a real model with rows long enough that activations decide the peak.
Graph step_of(const char* preset, int64_t rows, int64_t length) {
  UpdateSettings updates;
  updates.grad_clip = 0;
  PassTrace late;
  late.disabled = {"updates_in_backward"};
  const auto model = make_model(config_of(*find_preset(preset)));
  return build_training_job(*model, {.shape = {rows, 1, length}}, updates, false, &late).graphs.front();
}

int64_t live_peak(const Graph& graph) {
  const Lifetimes lifetimes = find_lifetimes(graph, choose_backend().on(1));
  const auto live = live_bytes(lifetimes.blocks, static_cast<int32_t>(graph.nodes.size()));
  return *std::max_element(live.begin(), live.end());
}

std::set<std::string> ops_at(const Graph& graph, double depth) {
  std::set<std::string> ops;
  const std::vector<bool> again = RecomputeChoice(graph, choose_backend()).nodes_for(depth);
  for (size_t i = 0; i < again.size(); ++i) {
    if (again[i]) ops.emplace(graph.nodes[i].op->name());
  }
  return ops;
}

TEST(RecomputeChoice, WhatIsCheapAndLargeGoesFirst) {
  const Graph step = step_of("tiny-10m", 8, 513);
  EXPECT_TRUE(ops_at(step, 0).empty());
  const std::set<std::string> cheap = {"rms_norm", "swiglu"};
  const std::set<std::string> first = ops_at(step, 0.2);
  EXPECT_FALSE(first.empty());
  EXPECT_TRUE(std::includes(cheap.begin(), cheap.end(), first.begin(), first.end())) << ::testing::PrintToString(first);
  EXPECT_TRUE(ops_at(step, 1).contains("matmul"));
}

TEST(RecomputeChoice, TheGraphsRealPeakFallsAndTheTimeRises) {
  const Graph step = step_of("tiny-10m", 8, 513);
  const RecomputeChoice choice(step, choose_backend());
  const int64_t plain = live_peak(step);
  int64_t before = plain;
  size_t nodes = step.nodes.size();
  for (const double depth : {0.25, 0.5, 0.75, 1.0}) {
    const Graph again = recompute(step, choice.nodes_for(depth));
    verify(again);
    const int64_t peak = live_peak(again);
    EXPECT_LT(peak, before) << depth;
    EXPECT_GT(again.nodes.size(), nodes) << depth;
    before = peak;
    nodes = again.nodes.size();
  }
  EXPECT_LT(before, plain / 2);
  EXPECT_LE(before, live_peak(checkpoint_layers(step)));
}

// The chain speaks of borders, insides and what is worked on; the graph's own lifetimes agree.
TEST(RecomputeChoice, TheChainsPeakIsTheGraphs) {
  const Graph step = step_of("tiny-10m", 4, 257);
  const RecomputeChoice choice(step, choose_backend());
  const Chain& chain = choice.chain();
  ASSERT_EQ(chain.blocks.size(), 6u);
  const double model = static_cast<double>(peak_bytes(chain, std::vector<ChainChoice>(6)));
  EXPECT_NEAR(model / static_cast<double>(live_peak(step)), 1, 0.25);
}

TEST(RecomputeChoice, AGraphWithoutLayersHasNothingToChoose) {
  const Graph graph;
  EXPECT_TRUE(RecomputeChoice(graph, choose_backend()).nodes_for(1).empty());
}

}  // namespace
}  // namespace headroom
