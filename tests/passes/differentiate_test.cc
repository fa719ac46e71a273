#include "headroom/passes/differentiate.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "headroom/graph/binding.h"
#include "headroom/graph/op.h"
#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"

namespace headroom {
namespace {

// h is read twice: its gradients are added, that of the later use first.
constexpr const char* kGatedForward =
    "graph step\n"
    "input %x: f32[8, 4] input\n"
    "input %w: f32[4, 4] weight\n"
    "input %seed: f32[8, 4] input\n"
    "%h: f32[8, 4] activation = matmul(%x, %w) {transpose_a=0, transpose_b=1} @layers.0 forward\n"
    "%s: f32[8, 4] activation = swiglu(%h, %x) @layers.0 forward\n"
    "%y: f32[8, 4] activation = add(%h, %s) @layers.1 forward\n"
    "result %y\n";

TEST(Differentiate, AddsTheGradientsOfAValueThatFansOut) {
  const Graph forward = parse_graph(kGatedForward);
  const Graph both = differentiate(forward, forward.find("y"), forward.find("seed"));
  verify(both);
  const Uses uses(both);
  const Node& joined = both.nodes[static_cast<size_t>(uses.producer[static_cast<size_t>(both.nodes.back().inputs[0])])];
  EXPECT_EQ(joined.op->name(), "add");
  EXPECT_EQ(both.value(joined.inputs[0]).name, "seed");  // of the add, the last use
  const Node& other = both.nodes[static_cast<size_t>(uses.producer[static_cast<size_t>(joined.inputs[1])])];
  EXPECT_EQ(other.op->name(), "swiglu_backward");
  EXPECT_EQ(other.segment, layer_segment(0));
  EXPECT_EQ(other.phase, Phase::backward);
}

TEST(Differentiate, NamesTheGradientOfEachWeightAndNothingElse) {
  const Graph forward = parse_graph(kGatedForward);
  const Graph both = differentiate(forward, forward.find("y"), forward.find("seed"));
  const ValueId gradient = both.find(gradient_name("w"));
  ASSERT_NE(gradient, kNoValue);
  EXPECT_EQ(both.value(gradient).role, Role::gradient);
  EXPECT_EQ(both.value(gradient).type, both.value(both.find("w")).type);
  EXPECT_EQ(both.find(gradient_name("x")), kNoValue);
  for (const Node& node : both.nodes) EXPECT_TRUE(node.phase != Phase::update);
}

// v is frozen and no trained weight lies before it: neither its gradient nor that of %x is made, and the loss head
// makes one of two.
TEST(Differentiate, MakesNothingForFrozenWeights) {
  Graph forward = parse_graph(
      "graph step\n"
      "input %x: f32[8, 4] input\n"
      "input %frozen.0: bf16[4, 4] weight\n"
      "input %w: f32[4, 4] weight\n"
      "input %frozen.1: f32[9, 4] weight\n"
      "input %frozen.2: f32[4] weight\n"
      "input %targets: i32[8] input\n"
      "input %seed: f32[1] input\n"
      "%a: f32[8, 4] activation = matmul(%x, %frozen.0) {transpose_a=0, transpose_b=1} forward\n"
      "%b: f32[8, 4] activation = matmul(%x, %w, %a) {transpose_a=0, transpose_b=1} forward\n"
      "%n: f32[8, 4] activation, %r: f32[8] activation = rms_norm(%b, %frozen.2) {eps=1e-05} forward\n"
      "%loss: f32[8] activation, %lse: f32[8] activation = "
      "linear_cross_entropy(%n, %frozen.1, %targets) forward\n");
  for (Value& value : forward.values) {
    rebind(value, [&](Binding& binding) { binding.is_trained = value.name == "w"; });
  }
  const Graph both = differentiate(forward, forward.find("loss"), forward.find("seed"));
  verify(both);
  std::string backward;
  for (const Node& node : both.nodes) {
    if (node.phase == Phase::backward) backward += fmt::format("{} of {} ", node.op->name(), node.outputs.size());
  }
  EXPECT_EQ(backward, "linear_cross_entropy_backward of 1 rms_norm_backward of 1 matmul of 1 ");
  ASSERT_EQ(both.results.size(), 1u);
  EXPECT_EQ(both.value(both.results.front()).name, "w.gradient");
}

}  // namespace
}  // namespace headroom
