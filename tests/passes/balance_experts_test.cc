#include "headroom/passes/balance_experts.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"

namespace headroom {
namespace {

constexpr const char* kInputs =
    "graph step\n"
    "input %a: f32[6, 4] input\n"
    "input %b: f32[6, 4] input\n"
    "input %sequences: i32[2, 4] input\n"
    "input %ce: f32[6] input\n";

std::string gate(const std::string& layer, const std::string& logits, int scoring) {
  return "%choice" + layer + ": i32[6, 2] activation, %shares" + layer + ": f32[6, 2] activation = route(%" + logits +
         ") {chosen=2, group_best=1, groups=1, normalise=0, scale=1.0, scoring=" + std::to_string(scoring) +
         ", top_groups=1} @layers." + layer + " forward\n";
}

TEST(BalanceExperts, AddsWhatEachGateCostsWhereItIs) {
  Graph graph = parse_graph(kInputs + gate("0", "a", 0) + gate("1", "b", 1) + "result %shares0\nresult %shares1\n");
  const ValueId ce = graph.inputs.back();
  graph.results.push_back(balance_experts(graph, ce, 0.25));
  verify(graph);
  EXPECT_EQ(to_text(graph),
            kInputs + gate("0", "a", 0) +
                "%layers.0/balance_losses: f32[6] activation = balance_losses(%a, %choice0, %sequences) {scoring=0, "
                "alpha=0.25} @layers.0 forward\n" +
                gate("1", "b", 1) +
                "%layers.1/balance_losses: f32[6] activation = balance_losses(%b, %choice1, %sequences) {scoring=1, "
                "alpha=0.25} @layers.1 forward\n"
                "%loss/add: f32[6] activation = add(%ce, %layers.0/balance_losses) @loss forward\n"
                "%loss/add.1: f32[6] activation = add(%loss/add, %layers.1/balance_losses) @loss forward\n"
                "result %shares0\n"
                "result %shares1\n"
                "result %loss/add.1\n");
}

TEST(BalanceExperts, RefusesAModelWithoutExperts) {
  Graph graph = parse_graph(std::string(kInputs) + "result %ce\n");
  try {
    balance_experts(graph, graph.inputs.back(), 0.25);
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_STREQ(error.what(),
                 "--balance-loss 0.25: the model has no experts to choose among; expected 0, or a mixture of experts");
  }
}

}  // namespace
}  // namespace headroom
