// Op embedding: the sentences of its shape rule, the storage it promises, what its gradient builds.
#include "headroom/ops/embedding.h"

#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

Attributes backward(int64_t rows, int64_t add) { return {{"rows", rows}, {"add", add}}; }

TEST(EmbeddingOp, ChecksItsOperands) {
  EXPECT_EQ(output_types("embedding", {{DType::f16, {9, 4}}, i32({3})})[0], f32({3, 4}));
  expect_refused("embedding", {i32({9, 4}), i32({3})}, {},
                 "embedding: table is [V, F] in a weight's format; expected f32, bf16 or f16, got i32[9, 4]");
  expect_refused("embedding", {f32({9}), i32({3})}, {}, "embedding: table is [V, F]; expected 2 dimensions, got [9]");
  expect_refused("embedding", {f32({9, 4}), f32({3})}, {}, "embedding: ids is i32[T]; expected i32, got f32[3]");
  expect_refused("embedding", {f32({9, 4})}, {}, "embedding: wrong number of inputs; expected 2, got 1");
}

TEST(EmbeddingBackwardOp, ChecksItsOperands) {
  expect_refused("embedding_backward", {i32({3}), f32({4, 5})}, backward(9, 0),
                 "embedding_backward: dy is [T, F] where ids is [T]; expected [3, 5], got [4, 5]");
  expect_refused("embedding_backward", {i32({3}), f32({3, 5}), f32({8, 5})}, backward(9, 0),
                 "embedding_backward: sum is [rows, F]; expected [9, 5], got [8, 5]");
  expect_refused("embedding_backward", {i32({3}), f32({3, 5})}, backward(9, 1),
                 "embedding_backward: wrong number of inputs; expected 3, got 2");
  expect_refused("embedding_backward", {i32({3}), f32({3, 5})}, backward(0, 0),
                 "embedding_backward: rows is the height of the table; expected 1 to 2147483647, got 0");
}

TEST(EmbeddingBackwardOp, GoesOnInItsLastInput) {
  EXPECT_EQ(Typed("embedding_backward", {i32({3}), f32({3, 5})}, backward(9, 0)).in_place(), "");
  EXPECT_EQ(Typed("embedding_backward", {i32({3}), f32({3, 5}), f32({9, 5})}, backward(9, 1)).in_place(), "0<-2");
  EXPECT_TRUE(find_op("embedding_backward")->continues_sum());
}

TEST(EmbeddingOp, GradientIsTheTables) {
  GraphUnderTest test;
  const ValueId dy = test.input("dy", f32({3, 4}));
  embedding(test.build, test.weight("table", {DType::bf16, {9, 4}}), test.input("ids", i32({3})));
  EXPECT_EQ(test.gradient({dy}), "embedding_backward -");
  const Value& gradient = test.graph.values.back();
  EXPECT_EQ(gradient.type, f32({9, 4}));
  EXPECT_EQ(gradient.role, Role::gradient);
}

}  // namespace
}  // namespace headroom::testing
