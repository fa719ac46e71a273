// Op matmul: the sentences of its shape rule, the storage it promises, the gradients it builds in every layout.
#include "headroom/ops/matmul.h"

#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

Attributes transposes(int64_t a, int64_t b) { return {{"transpose_a", a}, {"transpose_b", b}}; }

TEST(MatmulOp, ChecksItsOperands) {
  EXPECT_EQ(output_types("matmul", {f32({3, 4}), {DType::bf16, {4, 5}}}, transposes(0, 0)),
            (std::vector<Type>{f32({3, 5})}));
  EXPECT_EQ(output_types("matmul", {f32({4, 3}), f32({5, 4})}, transposes(1, 1)), (std::vector<Type>{f32({3, 5})}));
  expect_refused("matmul", {f32({3, 4}), f32({5, 6})}, transposes(0, 0),
                 "matmul: a f32[3, 4] and b f32[5, 6] have different depths; expected 4 on both sides, got 5");
  expect_refused("matmul", {f32({3, 4}), f32({4, 5}), f32({5, 3})}, transposes(0, 0),
                 "matmul: sum is [M, N]; expected [3, 5], got [5, 3]");
}

TEST(MatmulOp, ContinuesASumInPlace) {
  EXPECT_EQ(Typed("matmul", {f32({3, 4}), f32({4, 5})}, transposes(0, 0)).in_place(), "");
  EXPECT_EQ(Typed("matmul", {f32({3, 4}), f32({4, 5}), f32({3, 5})}, transposes(0, 0)).in_place(), "0<-2");
  EXPECT_TRUE(find_op("matmul")->continues_sum());
}

// With distinct M, N and K, shapes alone tell a right product from a wrong one up to the transposes of its factors,
// and those are checked by output_types. The gradient by a comes first, so that b may be updated after its own.
TEST(MatmulOp, GradientsHaveTheShapesOfTheFactors) {
  const int64_t rows = 3, columns = 5, depth = 7;
  for (const bool transpose_a : {false, true}) {
    for (const bool transpose_b : {false, true}) {
      GraphUnderTest test;
      const Type a = transpose_a ? f32({depth, rows}) : f32({rows, depth});
      const Type b = transpose_b ? f32({columns, depth}) : f32({depth, columns});
      const ValueId dc = test.input("dc", f32({rows, columns}));
      const ValueId left = test.input("a", a);
      const ValueId right = test.weight("b", b);
      matmul(test.build, left, right, {.a = transpose_a, .b = transpose_b});
      test.gradient({dc});
      ASSERT_EQ(test.graph.nodes.size(), 3u);
      const Value& da = test.graph.value(test.graph.nodes[1].outputs[0]);
      const Value& db = test.graph.value(test.graph.nodes[2].outputs[0]);
      EXPECT_EQ(da.type, a);
      EXPECT_EQ(db.type, b);
      EXPECT_EQ(da.role, Role::activation);
      EXPECT_EQ(db.role, Role::gradient);
    }
  }
}

TEST(MatmulOp, TheGradientOfAWeightIsF32) {
  for (const DType activations : {DType::f32, DType::bf16}) {
    GraphUnderTest test;
    const ValueId dc = test.input("dc", {activations, {3, 5}});
    const ValueId x = test.input("x", {activations, {3, 7}});
    linear(test.build, x, test.weight("w", {DType::bf16, {5, 7}}));
    test.gradient({dc});
    ASSERT_EQ(test.graph.nodes.size(), 3u);
    EXPECT_EQ(test.graph.value(test.graph.nodes[1].outputs[0]).type, (Type{activations, {3, 7}}));
    EXPECT_EQ(test.graph.value(test.graph.nodes[2].outputs[0]).type, f32({5, 7}));
  }
}

TEST(MatmulOp, FactorsOf16BitsAreOfOneFormatOrF32) {
  EXPECT_EQ(output_types("matmul", {{DType::f16, {3, 4}}, f32({4, 5})}, transposes(0, 0)),
            std::vector<Type>{(Type{DType::f16, {3, 5}})});
  Attributes attributes = transposes(0, 0);
  attributes.set("result", static_cast<int64_t>(DType::f32));
  EXPECT_EQ(output_types("matmul", {{DType::bf16, {3, 4}}, {DType::bf16, {4, 5}}}, attributes),
            std::vector<Type>{f32({3, 5})});
  expect_refused("matmul", {{DType::bf16, {3, 4}}, {DType::f16, {4, 5}}}, transposes(0, 0),
                 "matmul: the right factor is in the left one's format or f32; expected bf16, got f16[4, 5]");
}

}  // namespace
}  // namespace headroom::testing
