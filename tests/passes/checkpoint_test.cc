#include "headroom/passes/checkpoint.h"

#include <gtest/gtest.h>

#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"

namespace headroom {
namespace {

TEST(Checkpoint, RecomputesTheInsideOfALayerJustBeforeItIsRead) {
  const Graph before = parse_graph(
      "graph step\n"
      "input %x: f32[8, 4] input\n"
      "%a: f32[8, 4] activation = add(%x, %x) @layers.0 forward\n"
      "%b: f32[8, 4] activation = swiglu(%a, %x) @layers.0 forward\n"
      "%h: f32[8, 4] activation = add(%x, %b) @layers.0 forward\n"
      "%y: f32[8, 4] activation = add(%h, %h) @head forward\n"
      "%dh: f32[8, 4] activation = add(%y, %h) @head backward\n"
      "%db: f32[8, 4] activation = swiglu(%a, %dh) @layers.0 backward\n"
      "result %db\n");
  const Graph after = checkpoint_layers(before);
  verify(after);
  // a is made again after dh; h is what the head reads, so it stays; b is not read by the backward, so it is not made
  // again.
  EXPECT_EQ(to_text(after),
            "graph step\n"
            "input %x: f32[8, 4] input\n"
            "%a: f32[8, 4] activation = add(%x, %x) @layers.0 forward\n"
            "%b: f32[8, 4] activation = swiglu(%a, %x) @layers.0 forward\n"
            "%h: f32[8, 4] activation = add(%x, %b) @layers.0 forward\n"
            "%y: f32[8, 4] activation = add(%h, %h) @head forward\n"
            "%dh: f32[8, 4] activation = add(%y, %h) @head backward\n"
            "%a/again: f32[8, 4] activation = add(%x, %x) @layers.0 backward\n"
            "%db: f32[8, 4] activation = swiglu(%a/again, %dh) @layers.0 backward\n"
            "result %db\n");
}

TEST(Checkpoint, LeavesAGraphWithoutBackwardAlone) {
  const char* text =
      "graph evaluation\n"
      "input %x: f32[8, 4] input\n"
      "%a: f32[8, 4] activation = add(%x, %x) @layers.0 forward\n"
      "result %a\n";
  EXPECT_EQ(to_text(checkpoint_layers(parse_graph(text))), text);
}

}  // namespace
}  // namespace headroom
