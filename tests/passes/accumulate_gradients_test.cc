#include "headroom/passes/accumulate_gradients.h"

#include <gtest/gtest.h>

#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"
#include "headroom/passes/fuse_embedding_gradient.h"

namespace headroom {
namespace {

// A table used twice: as embedding and as output layer.
constexpr const char* kTied =
    "graph step\n"
    "input %ids: i32[8] input\n"
    "input %w: f32[16, 4] weight\n"
    "input %dy: f32[8, 4] input\n"
    "%head: f32[16, 4] activation = matmul(%w, %u) {transpose_a=0, transpose_b=0} backward\n"
    "%rows: f32[16, 4] activation = embedding_backward(%ids, %dy) {rows=16, add=0} backward\n"
    "%w.gradient: f32[16, 4] gradient = add(%head, %rows) backward\n"
    "result %w.gradient\n";

Graph tied() {
  std::string text = kTied;
  text.insert(text.find("%head:"), "input %u: f32[4, 4] input\n");
  return parse_graph(text);
}

TEST(AccumulateGradients, EachUseGoesOnInASumOfItsOwn) {
  const Graph graph = accumulate_gradients(tied());
  verify(graph);
  EXPECT_EQ(
      diff(tied(), graph),
      "- %head: f32[16, 4] activation = matmul(%w, %u) {transpose_a=0, transpose_b=0} backward\n"
      "- %rows: f32[16, 4] activation = embedding_backward(%ids, %dy) {rows=16, add=0} backward\n"
      "- %w.gradient: f32[16, 4] gradient = add(%head, %rows) backward\n"
      "+ input %w.gradient_sum: f32[16, 4] gradient\n"
      "+ input %w.gradient_sum.1: f32[16, 4] gradient\n"
      "+ %head: f32[16, 4] activation = matmul(%w, %u, %w.gradient_sum) {transpose_a=0, transpose_b=0} backward\n"
      "+ %rows: f32[16, 4] activation = embedding_backward(%ids, %dy, %w.gradient_sum.1) {rows=16, add=0} backward\n"
      "+ %w.gradient: f32[16, 4] gradient = add(%head, %rows) {in_place=1} backward\n"
      "+ carry %w.gradient_sum = %w.gradient\n"
      "+ carry %w.gradient_sum.1 = %rows\n");
}

TEST(AccumulateGradients, EarlierMicroBatchesKeepOnlyTheSums) {
  const Graph micro = keep_only_sums(accumulate_gradients(tied()));
  verify(micro);
  EXPECT_EQ(micro.nodes.size(), 2u);
  EXPECT_EQ(micro.value(micro.carries[0].next).name, "head");
  EXPECT_TRUE(micro.results.empty());
  const Graph zero = zero_gradient_sums(micro);
  verify(zero);
  EXPECT_EQ(zero.nodes.size(), 2u);
  EXPECT_EQ(zero.value(zero.inputs[1]).name, "w.gradient_sum.1");
}

TEST(FuseEmbeddingGradient, AddsTheRowsIntoTheOtherUse) {
  const Graph fused = fuse_embedding_gradient(tied());
  verify(fused);
  EXPECT_EQ(diff(tied(), fused),
            "- %rows: f32[16, 4] activation = embedding_backward(%ids, %dy) {rows=16, add=0} backward\n"
            "- %w.gradient: f32[16, 4] gradient = add(%head, %rows) backward\n"
            "+ %w.gradient: f32[16, 4] gradient = embedding_backward(%ids, %dy, %head) {rows=16, add=1} backward\n");
}

}  // namespace
}  // namespace headroom
