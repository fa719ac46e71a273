#include "headroom/passes/updates_in_backward.h"

#include <gtest/gtest.h>

#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"

namespace headroom {
namespace {

TEST(UpdatesInBackward, MovesAnUpdateBehindItsGradientAndTheLastReaderOfItsWeight) {
  const Graph before = parse_graph(
      "graph step\n"
      "input %w: f32[4, 4] weight\n"
      "input %v: f32[4, 4] weight\n"
      "input %s: f32[3] input\n"
      "%dw: f32[4, 4] gradient = add(%v, %v) backward\n"
      "%x: f32[4, 4] activation = add(%w, %dw) backward\n"
      "%dv: f32[4, 4] gradient = add(%x, %x) backward\n"
      "%y: f32[4, 4] activation = add(%v, %dv) backward\n"
      "%w.next: f32[4, 4] weight = sgd(%w, %dw, %s) update\n"
      "%v.next: f32[4, 4] weight = sgd(%v, %dv, %s) update\n"
      "carry %w = %w.next\n"
      "carry %v = %v.next\n"
      "result %y\n");
  verify(before);
  const Graph after = updates_in_backward(before);
  verify(after);
  // w is read by x, so its update follows x although dw is there before; v's follows y.
  EXPECT_EQ(diff(before, after),
            "- %dv: f32[4, 4] gradient = add(%x, %x) backward\n"
            "+ %w.next: f32[4, 4] weight = sgd(%w, %dw, %s) update\n"
            "- %y: f32[4, 4] activation = add(%v, %dv) backward\n"
            "+ %dv: f32[4, 4] gradient = add(%x, %x) backward\n"
            "- %w.next: f32[4, 4] weight = sgd(%w, %dw, %s) update\n"
            "+ %y: f32[4, 4] activation = add(%v, %dv) backward\n");
}

TEST(UpdatesInBackward, AClippingFactorKeepsUpdatesAtTheEnd) {
  const Graph before = parse_graph(
      "graph step\n"
      "input %w: f32[4, 4] weight\n"
      "input %v: f32[4, 4] weight\n"
      "input %s: f32[3] input\n"
      "%dw: f32[4, 4] gradient = add(%v, %v) backward\n"
      "%dv: f32[4, 4] gradient = add(%w, %w) backward\n"
      "%n: f64[1] activation = squared_norm(%dw) update\n"
      "%m: f64[1] activation = squared_norm(%dv) update\n"
      "%norm: f32[1] activation, %scale: f32[1] activation = clip_scale(%n, %m) {max_norm=1.0} update\n"
      "%w.next: f32[4, 4] weight = sgd(%w, %dw, %s, %scale) update\n"
      "%v.next: f32[4, 4] weight = sgd(%v, %dv, %s, %scale) update\n"
      "carry %w = %w.next\n"
      "carry %v = %v.next\n"
      "result %norm\n");
  const Graph after = updates_in_backward(before);
  verify(after);
  EXPECT_EQ(after.value(after.nodes[1].outputs[0]).name, "n");  // a norm moves to its gradient
  EXPECT_EQ(after.value(after.nodes[5].outputs[0]).name, "w.next");
  EXPECT_EQ(after.value(after.nodes[6].outputs[0]).name, "v.next");
}

}  // namespace
}  // namespace headroom
