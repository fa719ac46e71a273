#include "headroom/passes/differentiate.h"

#include <gtest/gtest.h>

#include "headroom/graph/op.h"
#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"

namespace headroom {
namespace {

// h is read twice: its gradients are added, that of the later use first.
constexpr const char* kForward =
    "graph step\n"
    "input %x: f32[8, 4] input\n"
    "input %w: f32[4, 4] weight\n"
    "input %seed: f32[8, 4] input\n"
    "%h: f32[8, 4] activation = matmul(%x, %w) {transpose_a=0, transpose_b=1} @layers.0 forward\n"
    "%s: f32[8, 4] activation = swiglu(%h, %x) @layers.0 forward\n"
    "%y: f32[8, 4] activation = add(%h, %s) @layers.1 forward\n"
    "result %y\n";

TEST(Differentiate, AddsTheGradientsOfAValueThatFansOut) {
  const Graph forward = parse_graph(kForward);
  const Graph both = differentiate(forward, forward.find("y"), forward.find("seed"));
  verify(both);
  const Uses uses(both);
  const Node& joined = both.nodes[static_cast<size_t>(uses.producer[static_cast<size_t>(both.nodes.back().inputs[0])])];
  EXPECT_EQ(joined.op->name(), "add");
  EXPECT_EQ(both.value(joined.inputs[0]).name, "seed");  // of the add, the last use
  const Node& other = both.nodes[static_cast<size_t>(uses.producer[static_cast<size_t>(joined.inputs[1])])];
  EXPECT_EQ(other.op->name(), "swiglu_backward");
  EXPECT_EQ(other.scope, "layers.0");
  EXPECT_EQ(other.phase, Phase::backward);
}

TEST(Differentiate, NamesTheGradientOfEachWeightAndNothingElse) {
  const Graph forward = parse_graph(kForward);
  const Graph both = differentiate(forward, forward.find("y"), forward.find("seed"));
  const ValueId gradient = both.find(gradient_name("w"));
  ASSERT_NE(gradient, kNoValue);
  EXPECT_EQ(both.value(gradient).role, Role::gradient);
  EXPECT_EQ(both.value(gradient).type, both.value(both.find("w")).type);
  EXPECT_EQ(both.find(gradient_name("x")), kNoValue);
  for (const Node& node : both.nodes) EXPECT_TRUE(node.phase != Phase::update);
}

}  // namespace
}  // namespace headroom
