#include "headroom/passes/compress_activations.h"

#include <gtest/gtest.h>

#include "headroom/graph/op.h"
#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"
#include "headroom/passes/checkpoint.h"

namespace headroom {
namespace {

// a is kept for the backward, h too; y is read in the head only, and u has rows that are no tokens.
const char* const kStep =
    "graph step\n"
    "input %x: f32[8, 4] input\n"
    "input %w: f32[3, 4] input\n"
    "input %tokens: i32[8] input\n"
    "input %loss_range: i32[2] input\n"
    "%a: f32[8, 4] activation = add(%x, %x) @layers.0 forward\n"
    "%b: f32[8, 4] activation = swiglu(%a, %x) @layers.0 forward\n"
    "%u: f32[3, 4] activation = add(%w, %w) @layers.0 forward\n"
    "%h: f32[8, 4] activation = add(%x, %b) @layers.0 forward\n"
    "%y: f32[8, 4] activation = add(%h, %h) @head forward\n"
    "%dh: f32[8, 4] activation = add(%y, %y) @head backward\n"
    "%db: f32[8, 4] activation = swiglu(%a, %dh) @layers.0 backward\n"
    "%dx: f32[8, 4] activation = swiglu(%a, %h) @layers.0 backward\n"
    "%du: f32[3, 4] activation = add(%u, %u) @layers.0 backward\n"
    "result %db\n"
    "result %dx\n"
    "result %du\n";

TEST(CompressActivations, KeepsCodesFromTheLastReaderToTheFirstOfTheBackward) {
  const Graph after = compress_activations(parse_graph(kStep), 16);
  verify(after);
  EXPECT_EQ(to_text(after),
            "graph step\n"
            "input %x: f32[8, 4] input\n"
            "input %w: f32[3, 4] input\n"
            "input %tokens: i32[8] input\n"
            "input %loss_range: i32[2] input\n"
            "%a: f32[8, 4] activation = add(%x, %x) @layers.0 forward\n"
            "%b: f32[8, 4] activation = swiglu(%a, %x) @layers.0 forward\n"
            "%layers.0/compress: bf16[8, 4] activation = compress(%a) {bits=16} @layers.0 forward\n"
            "%u: f32[3, 4] activation = add(%w, %w) @layers.0 forward\n"
            "%h: f32[8, 4] activation = add(%x, %b) @layers.0 forward\n"
            "%y: f32[8, 4] activation = add(%h, %h) @head forward\n"
            "%head/compress: bf16[8, 4] activation = compress(%h) {bits=16} @head forward\n"
            "%dh: f32[8, 4] activation = add(%y, %y) @head backward\n"
            "%layers.0/decompress: f32[8, 4] activation = decompress(%layers.0/compress) {bits=16, features=4} "
            "@layers.0 backward\n"
            "%db: f32[8, 4] activation = swiglu(%layers.0/decompress, %dh) @layers.0 backward\n"
            "%layers.0/decompress.1: f32[8, 4] activation = decompress(%head/compress) {bits=16, features=4} "
            "@layers.0 backward\n"
            "%dx: f32[8, 4] activation = swiglu(%layers.0/decompress, %layers.0/decompress.1) @layers.0 backward\n"
            "%du: f32[3, 4] activation = add(%u, %u) @layers.0 backward\n"
            "result %db\n"
            "result %dx\n"
            "result %du\n");
  const CompressedBytes bytes = compressed_bytes(after);
  EXPECT_EQ(bytes.f32, 2 * 8 * 4 * 4);
  EXPECT_EQ(bytes.compressed, 2 * 8 * 4 * 2);
}

TEST(CompressActivations, RoundsAtPlacesThatHaveTheValuesNames) {
  const Graph after = compress_activations(parse_graph(kStep), 4);
  verify(after);
  EXPECT_EQ(after.value(after.find("random_key")).type, i32({4}));
  EXPECT_EQ(after.value(after.find("layers.0/compress")).type, u8({8, 2}));
  std::vector<int64_t> sites;
  for (const Node& node : after.nodes) {
    if (node.op->name() == "compress") sites.push_back(node.attributes.integer("site"));
  }
  ASSERT_EQ(sites.size(), 2u);
  EXPECT_NE(sites[0], sites[1]);
}

// a is made again from x, so that only h is kept, and only h is compressed.
TEST(CompressActivations, LeavesWhatCheckpointingRecomputes) {
  const Graph before =
      parse_graph(std::string(kStep) + "result %loss_range\nresult %tokens\n");  // or checkpointing drops them
  const Graph after = compress_activations(checkpoint_layers(before), 8);
  verify(after);
  int compressed = 0;
  for (const Node& node : after.nodes) {
    if (node.op->name() != "compress") continue;
    ++compressed;
    EXPECT_EQ(after.value(node.inputs[0]).name, "h");
  }
  EXPECT_EQ(compressed, 1);
}

TEST(CompressActivations, LeavesAGraphWithoutBackwardAlone) {
  const char* text =
      "graph evaluation\n"
      "input %x: f32[8, 4] input\n"
      "%a: f32[8, 4] activation = add(%x, %x) @layers.0 forward\n"
      "result %a\n";
  EXPECT_EQ(to_text(compress_activations(parse_graph(text), 4)), text);
}

}  // namespace
}  // namespace headroom
