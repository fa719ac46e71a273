#include "headroom/passes/fuse_loss_gradients.h"

#include <gtest/gtest.h>

#include <string>

#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"

namespace headroom {
namespace {

const std::string kInputs =
    "graph step\n"
    "input %h: f32[6, 4] input\n"
    "input %w: f32[16, 4] weight\n"
    "input %targets: i32[6] input\n"
    "input %scale: f32[1] input\n";
const std::string kForward =
    "%loss: f32[6] activation, %lse: f32[6] activation = linear_cross_entropy(%h, %w, %targets) @head forward\n";
const std::string kTotal = "%total: f64[1] activation = sum(%loss) @loss forward\n";
const std::string kResults = "result %total\nresult %dw\nresult %dh\n";

TEST(FuseLossGradients, OneNodeTakesThePlaceOfTheForward) {
  const Graph before = parse_graph(kInputs + kForward + kTotal +
                                   "%dw: f32[16, 4] gradient, %dh: f32[6, 4] activation = "
                                   "linear_cross_entropy_backward(%h, %w, %targets, %lse, %scale) @head backward\n" +
                                   kResults);
  verify(before);
  const Graph after = fuse_loss_gradients(before);
  verify(after);
  EXPECT_EQ(to_text(after), kInputs +
                                "%dw: f32[16, 4] gradient, %dh: f32[6, 4] activation, %loss: f32[6] activation = "
                                "linear_cross_entropy_with_gradients(%h, %w, %targets, %scale) @head forward\n" +
                                kTotal + kResults);
}

TEST(FuseLossGradients, ASumGoesOn) {
  const std::string sum = "input %sum: f32[16, 4] gradient\n";
  const Graph after = fuse_loss_gradients(
      parse_graph(kInputs + sum + kForward + kTotal +
                  "%dw: f32[16, 4] gradient, %dh: f32[6, 4] activation = "
                  "linear_cross_entropy_backward(%h, %w, %targets, %lse, %scale, %sum) @head backward\n" +
                  "carry %sum = %dw\n" + kResults));
  verify(after);
  ASSERT_EQ(after.nodes.size(), 2u);
  EXPECT_EQ(after.nodes[0].inputs.size(), 5u);
  EXPECT_EQ(after.value(after.nodes[0].inputs[4]).name, "sum");
}

// Losses alone, log-sum-exps that somebody else reads, a scale that is computed in between: nothing to fuse.
TEST(FuseLossGradients, LeavesOtherHeadsAlone) {
  const std::string backward =
      "%dw: f32[16, 4] gradient, %dh: f32[6, 4] activation = "
      "linear_cross_entropy_backward(%h, %w, %targets, %lse, %scale) backward\n";
  std::string late = backward;
  late.replace(late.find("%scale"), 6, "%late");
  for (const std::string& text :
       {kInputs + kForward + kTotal + "result %total\n",
        kInputs + kForward + kTotal + "%others: f64[1] activation = sum(%lse) forward\n" + backward + kResults +
            "result %others\n",
        kInputs + kForward + kTotal + "%late: f32[1] activation = add(%scale, %scale) forward\n" + late + kResults}) {
    const Graph before = parse_graph(text);
    verify(before);
    EXPECT_EQ(to_text(fuse_loss_gradients(before)), to_text(without_dead_nodes(before)));
  }
}

}  // namespace
}  // namespace headroom
