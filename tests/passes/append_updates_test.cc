#include "headroom/passes/append_updates.h"

#include <gtest/gtest.h>

#include "headroom/graph/op.h"
#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"

namespace headroom {
namespace {

// One weight of 4,096 elements, and one of a row less.
Graph differentiated(const char* dtype) {
  const std::string large = std::string(dtype) + "[64, 64]";
  return parse_graph("graph step\ninput %a: " + large +
                     " weight\ninput %b: f32[63, 64] weight\ninput %a.gradient: f32[64, 64] gradient\n"
                     "input %b.gradient: f32[63, 64] gradient\nresult %a.gradient\nresult %b.gradient\n");
}

std::string names_of_ops(const Graph& graph) {
  std::string names;
  for (const Node& node : graph.nodes) names += std::string(names.empty() ? "" : " ") + std::string(node.op->name());
  return names;
}

TEST(AppendUpdates, KeepsSmallWeightsInAdamw) {
  UpdateSettings settings;
  settings.optimizer = Optimizer::adamw8bit;
  const Graph graph = append_updates(differentiated("f32"), settings);
  verify(graph);
  EXPECT_EQ(names_of_ops(graph), "squared_norm squared_norm clip_scale adamw8bit adamw");
  EXPECT_EQ(graph.value(graph.find("a.adam_m")).type, u8({64, 64}));
  EXPECT_EQ(graph.value(graph.find("a.adam_v_scale")).type, f32({16}));
  EXPECT_EQ(graph.value(graph.find("b.adam_m")).type, f32({63, 64}));
  EXPECT_EQ(graph.find("random_key"), kNoValue);
  EXPECT_EQ(graph.carries.size(), 5u + 3u);
}

TEST(AppendUpdates, RoundsBf16WeightsByARandomKey) {
  UpdateSettings settings;
  settings.optimizer = Optimizer::adamw8bit;
  const Graph graph = append_updates(differentiated("bf16"), settings);
  verify(graph);
  EXPECT_NE(graph.find("random_key"), kNoValue);
}

}  // namespace
}  // namespace headroom
