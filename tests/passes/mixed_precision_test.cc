#include "headroom/passes/mixed_precision.h"

#include <gtest/gtest.h>

#include "headroom/graph/builder.h"
#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"
#include "headroom/ops/embedding.h"
#include "headroom/ops/linear_cross_entropy.h"
#include "headroom/ops/matmul.h"
#include "headroom/ops/rms_norm.h"
#include "headroom/passes/differentiate.h"

namespace headroom {
namespace {

// Activations and their gradients follow the embedding; losses, statistics, weights and their gradients stay f32.
TEST(MixedPrecision, RoundsActivationsAndNothingElse) {
  Graph graph;
  Builder build(graph);
  const ValueId ids = build.input("ids", i32({6}), Role::input);
  const ValueId table = build.input("table", f32({11, 4}), Role::weight);
  const ValueId gain = build.input("gain", f32({4}), Role::weight);
  const ValueId weight = build.input("weight", f32({8, 4}), Role::weight);
  const ValueId head = build.input("head", f32({11, 8}), Role::weight);
  const RmsNormResult norm = rms_norm(build, embedding(build, table, ids), gain, 1e-5);
  const ValueId y = linear(build, norm.y, weight);
  const ValueId loss = linear_cross_entropy(build, y, head, ids).loss;
  const ValueId seed = build.input("seed", f32({1}), Role::input);

  Graph mixed = mixed_precision(graph, DType::bf16);
  verify(mixed);
  EXPECT_EQ(mixed.value(y).type, (Type{DType::bf16, {6, 8}}));
  EXPECT_EQ(mixed.value(norm.y).type.dtype, DType::bf16);
  EXPECT_EQ(mixed.value(norm.r).type.dtype, DType::f32);
  EXPECT_EQ(mixed.value(loss).type.dtype, DType::f32);
  mixed = differentiate(std::move(mixed), loss, seed);
  verify(mixed);
  for (const Value& value : mixed.values) {
    const bool is_small = value.role == Role::weight || value.role == Role::gradient || value.type.shape.rank() == 1;
    EXPECT_EQ(value.type.dtype == DType::bf16, !is_small) << value.name;
  }
}

}  // namespace
}  // namespace headroom
