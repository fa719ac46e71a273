#include "headroom/passes/quantize_weights.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"
#include "headroom/plan/lifetimes.h"

namespace headroom {
namespace {

constexpr const char* kGraph =
    "graph step\n"
    "input %x: f32[8, 6] input\n"
    "input %w: bf16[4, 6] weight\n"
    "input %dy: f32[8, 4] input\n"
    "%y: f32[8, 4] activation = matmul(%x, %w) {transpose_a=0, transpose_b=1} @layers.0 forward\n"
    "%dx: f32[8, 6] activation = matmul(%dy, %w) {transpose_a=0, transpose_b=0} @layers.0 backward\n"
    "result %y\n"
    "result %dx\n";

TEST(QuantizeWeights, EachReaderHasItsOwnDequantisation) {
  const Graph before = parse_graph(kGraph);
  const Graph after = quantize_weights(before, {"w"}, 4);
  verify(after);
  EXPECT_EQ(diff(before, after),
            "- input %w: bf16[4, 6] weight\n"
            "+ input %w.nf4: u8[12] weight\n"
            "+ input %w.nf4_scales: u8[1] weight\n"
            "+ input %w.nf4_scale_blocks: f32[2] weight\n"
            "- %y: f32[8, 4] activation = matmul(%x, %w) {transpose_a=0, transpose_b=1} @layers.0 forward\n"
            "- %dx: f32[8, 6] activation = matmul(%dy, %w) {transpose_a=0, transpose_b=0} @layers.0 backward\n"
            "+ %layers.0/dequantize_nf4: f32[4, 6] activation = dequantize_nf4(%w.nf4, %w.nf4_scales, "
            "%w.nf4_scale_blocks) {rows=4, columns=6} @layers.0 forward\n"
            "+ %y: f32[8, 4] activation = matmul(%x, %layers.0/dequantize_nf4) {transpose_a=0, transpose_b=1} "
            "@layers.0 forward\n"
            "+ %layers.0/dequantize_nf4.1: f32[4, 6] activation = dequantize_nf4(%w.nf4, %w.nf4_scales, "
            "%w.nf4_scale_blocks) {rows=4, columns=6} @layers.0 backward\n"
            "+ %dx: f32[8, 6] activation = matmul(%dy, %layers.0/dequantize_nf4.1) {transpose_a=0, transpose_b=0} "
            "@layers.0 backward\n");
  // No f32 weight outlives the product that it is for.
  const Lifetimes lifetimes = find_lifetimes(after, 1);
  for (size_t index = 0; index < after.nodes.size(); ++index) {
    if (after.nodes[index].op->name() != "dequantize_nf4") continue;
    const int32_t block = lifetimes.homes[static_cast<size_t>(after.nodes[index].outputs[0])].block;
    EXPECT_EQ(lifetimes.blocks[static_cast<size_t>(block)].last, static_cast<int32_t>(index) + 1);
  }
}

TEST(QuantizeWeights, EightBits) {
  const Graph after = quantize_weights(parse_graph(kGraph), {"w"}, 8);
  verify(after);
  EXPECT_NE(after.find("w.int8_scales"), kNoValue);
  EXPECT_EQ(after.find("w"), kNoValue);
}

TEST(QuantizeWeights, ATrainedWeightIsOurMistake) {
  const Graph trained = parse_graph(
      "graph step\n"
      "input %w: f32[4, 6] weight\n"
      "input %gradient: f32[4, 6] input\n"
      "input %scalars: f32[3] input\n"
      "%next: f32[4, 6] weight = sgd(%w, %gradient, %scalars) update\n"
      "carry %w = %next\n");
  EXPECT_THROW(quantize_weights(trained, {"w"}, 4), InternalError);
}

}  // namespace
}  // namespace headroom
