#include "headroom/passes/arrange_fetched.h"

#include <gtest/gtest.h>

#include "headroom/graph/op.h"
#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"
#include "headroom/ops/arrange.h"
#include "headroom/passes/offload.h"

namespace headroom {
namespace {

const char* const kStepWithRawWeights =
    "graph decode\n"
    "input %x: f32[2, 64] input\n"
    "input %q: bf16[64, 64] weight\n"
    "input %up: int8_g32[64, 64] weight\n"
    "input %down: int8_g32[64, 64] weight\n"
    "%a: f32[2, 64] activation = matmul(%x, %q) {transpose_a=0, transpose_b=1} @layers.0 forward\n"
    "%b: f32[2, 64] activation = matmul_int8(%a, %up) @layers.0 forward\n"
    "%c: f32[2, 64] activation = matmul_int8(%b, %down) @layers.0 forward\n"
    "result %c\n";

TEST(ArrangeFetched, WhatHasComeIsPutRightBeforeItIsRead) {
  const Graph fetched = offload(parse_graph(kStepWithRawWeights), {.values = {"q", "up"}, .to = Tier::model});
  const Graph after =
      arrange_fetched(fetched, {{"q", {DType::bf16, 16}}, {"up", {q8_blocks(), 0}}, {"down", {q8_blocks(), 0}}});
  verify(after);
  EXPECT_EQ(after.value(after.find("up")).type.dtype, q8_blocks());
  EXPECT_EQ(after.value(after.find("down")).type,
            parse_graph(kStepWithRawWeights).value(parse_graph(kStepWithRawWeights).find("down")).type);
  std::vector<std::string> nodes;
  for (const Node& node : after.nodes) {
    std::string words(node.op->name());
    if (words == "arrange") words += " " + std::to_string(node.attributes.integer("head_rows"));
    nodes.push_back(words);
    if (node.op->name().starts_with("matmul") && node.inputs[1] != after.find("down")) {
      EXPECT_NE(after.value(node.inputs[1]).name.find("arrange"), std::string::npos);
    }
  }
  EXPECT_EQ(nodes, (std::vector<std::string>{"fetch", "fetched", "arrange 16", "matmul", "fetch", "fetched",
                                             "arrange 0", "matmul_int8", "matmul_int8"}));
}

TEST(ArrangeFetched, WithoutArrangementsNothingIsDone) {
  const Graph fetched = offload(parse_graph(kStepWithRawWeights), {.values = {"q"}, .to = Tier::model});
  EXPECT_EQ(to_text(arrange_fetched(fetched, {})), to_text(fetched));
}

}  // namespace
}  // namespace headroom
