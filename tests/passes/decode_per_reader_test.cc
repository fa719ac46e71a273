#include "headroom/passes/decode_per_reader.h"

#include <gtest/gtest.h>

#include "headroom/backend/backend.h"
#include "headroom/base/errors.h"
#include "headroom/graph/op.h"
#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"
#include "headroom/plan/lifetimes.h"

namespace headroom {
namespace {

constexpr const char* kGraph =
    "graph step\n"
    "input %x: f32[8, 6] input\n"
    "input %w: nf4[4, 6] weight\n"
    "input %dy: f32[8, 4] input\n"
    "%layers.0/dequantize: f32[4, 6] activation = dequantize(%w) @layers.0 forward\n"
    "%y: f32[8, 4] activation = matmul(%x, %layers.0/dequantize) {transpose_a=0, transpose_b=1} @layers.0 forward\n"
    "%dx: f32[8, 6] activation = matmul(%dy, %layers.0/dequantize) {transpose_a=0, transpose_b=0} @layers.0 backward\n"
    "result %y\n"
    "result %dx\n";

TEST(DecodePerReader, EachReaderHasItsOwn) {
  const Graph before = parse_graph(kGraph);
  EXPECT_EQ(to_text(before), kGraph);
  const Graph after = decode_per_reader(before);
  verify(after);
  EXPECT_EQ(diff(before, after),
            "- %dx: f32[8, 6] activation = matmul(%dy, %layers.0/dequantize) {transpose_a=0, transpose_b=0} @layers.0 "
            "backward\n"
            "+ %layers.0/dequantize.1: f32[4, 6] activation = dequantize(%w) @layers.0 backward\n"
            "+ %dx: f32[8, 6] activation = matmul(%dy, %layers.0/dequantize.1) {transpose_a=0, transpose_b=0} "
            "@layers.0 backward\n");
  // No f32 weight outlives the product that it is for.
  const Lifetimes lifetimes = find_lifetimes(after, choose_backend().on(1));
  for (size_t index = 0; index < after.nodes.size(); ++index) {
    if (after.nodes[index].op->name() != "dequantize") continue;
    const int32_t block = lifetimes.homes[static_cast<size_t>(after.nodes[index].outputs[0])].block;
    EXPECT_EQ(lifetimes.blocks[static_cast<size_t>(block)].last, static_cast<int32_t>(index) + 1);
  }
}

TEST(DecodePerReader, ADecodedWeightIsNoResult) {
  const Graph graph = parse_graph(
      "graph step\n"
      "input %w: int8[4, 6] weight\n"
      "%v: f32[4, 6] activation = dequantize(%w) forward\n"
      "result %v\n");
  EXPECT_THROW(decode_per_reader(graph), InternalError);
}

}  // namespace
}  // namespace headroom
