// Op adamw8bit: the sentences of its shape rules, the state's types, updates in place.
#include "headroom/ops/adamw8bit.h"

#include "headroom/ops/random_key.h"
#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

const Attributes kAttributes = {
    {"beta1", 0.9}, {"beta2", 0.95}, {"eps", 1e-8}, {"weight_decay", 0.1}, {"site", int64_t{1}}};

TEST(Adamw8bitOp, ChecksItsOperands) {
  const Type w = f32({20, 30}), rounded = {DType::bf16, {20, 30}}, codes = u8({20, 30}), scales = f32({3});
  EXPECT_EQ(output_types("adamw8bit", {w, codes, scales, codes, scales, w, f32({3})}, kAttributes),
            (std::vector<Type>{w, codes, scales, codes, scales}));
  EXPECT_EQ(output_types("adamw8bit", {rounded, codes, scales, codes, scales, w, f32({3}), i32({4}), f32({1})},
                         kAttributes)[0],
            rounded);
  expect_refused("adamw8bit", {w, w, scales, codes, scales, w, f32({3})}, kAttributes,
                 "adamw8bit: m has weight's shape; expected u8, got f32[20, 30]");
  expect_refused("adamw8bit", {w, codes, f32({2}), codes, scales, w, f32({3})}, kAttributes,
                 "adamw8bit: m_scale is one number a block of 256; expected [3], got [2]");
  expect_refused("adamw8bit", {rounded, codes, scales, codes, scales, w, f32({3})}, kAttributes,
                 "adamw8bit: wrong number of inputs; expected 8 to 9, got 7");
  expect_refused("adamw8bit", {rounded, codes, scales, codes, scales, w, f32({3}), f32({4})}, kAttributes,
                 "adamw8bit: random_key is i32[4]; expected i32, got f32[4]");
}

TEST(Adamw8bitOp, TakesTwoBytesAParameterAndUpdatesInPlace) {
  const Shape shape = {1024, 1000};
  const double state = 2 * static_cast<double>(codes_type(shape).bytes() + scales_type(shape).bytes());
  EXPECT_NEAR(state / static_cast<double>(shape.elements()), 2.03125, 1e-9);

  GraphUnderTest test;
  const auto declare = [&](const char* name, const Type& type) {
    return test.build.input(name, type, Role::optimizer_state);
  };
  const Adamw8bitState old = {test.weight("w", {DType::bf16, shape}), declare("m", codes_type(shape)),
                              declare("ms", scales_type(shape)), declare("v", codes_type(shape)),
                              declare("vs", scales_type(shape))};
  const Adamw8bitState next =
      adamw8bit(test.build, old, test.input("g", f32(shape)), test.input("scalars", f32({3})), kNoValue, {});
  const std::vector<ValueId> roots = storage_roots(test.graph);
  EXPECT_EQ(roots[static_cast<size_t>(next.weight)], old.weight);
  EXPECT_EQ(roots[static_cast<size_t>(next.m)], old.m);
  EXPECT_EQ(roots[static_cast<size_t>(next.v_scale)], old.v_scale);
  EXPECT_EQ(test.graph.value(next.weight).role, Role::weight);
  EXPECT_NE(test.graph.find(kRandomKeyName), kNoValue);
}

}  // namespace
}  // namespace headroom::testing
