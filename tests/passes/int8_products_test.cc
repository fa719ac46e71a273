#include "headroom/passes/int8_products.h"

#include <gtest/gtest.h>

#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"

namespace headroom {
namespace {

TEST(Int8Products, AreThoseOfLayersWithGroupedWeights) {
  const Graph before = parse_graph(
      "graph step\n"
      "input %x: f32[8, 64] input\n"
      "input %w: int4_g64[32, 64] weight\n"
      "input %v: bf16[32, 64] weight\n"
      "input %h: int8_g32[40, 32] weight\n"
      "%a: f32[8, 32] activation = matmul(%x, %w) {transpose_a=0, transpose_b=1} @layers.0 forward\n"
      "%b: f32[8, 32] activation = matmul(%x, %v) {transpose_a=0, transpose_b=1} @layers.0 forward\n"
      "%y: f32[8, 32] activation = add(%a, %b) @layers.0 forward\n"
      "%logits: f32[8, 40] activation = matmul(%y, %h) {transpose_a=0, transpose_b=1} @head forward\n"
      "result %logits\n");
  const Graph after = int8_products(before);
  verify(after);
  EXPECT_EQ(diff(before, after),
            "- %a: f32[8, 32] activation = matmul(%x, %w) {transpose_a=0, transpose_b=1} @layers.0 forward\n"
            "+ %layers.0/matmul_int8: f32[8, 32] activation = matmul_int8(%x, %w) @layers.0 forward\n"
            "- %y: f32[8, 32] activation = add(%a, %b) @layers.0 forward\n"
            "+ %y: f32[8, 32] activation = add(%layers.0/matmul_int8, %b) @layers.0 forward\n");
}

}  // namespace
}  // namespace headroom
