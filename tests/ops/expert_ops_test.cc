// The ops of latent attention and of mixtures of experts: the sentences of their shape rules, what gradients build.
#include "headroom/base/block_format.h"
#include "headroom/ops/expert_matmul.h"
#include "headroom/ops/fetch_experts.h"
#include "headroom/ops/head_products.h"
#include "headroom/ops/route.h"
#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

Attributes gate(int64_t chosen, int64_t groups, int64_t top_groups) {
  return {{"scoring", int64_t{1}},    {"chosen", chosen},        {"groups", groups}, {"top_groups", top_groups},
          {"group_best", int64_t{2}}, {"normalise", int64_t{1}}, {"scale", 2.5}};
}

TEST(RouteOp, ChecksItsOperandsAndLetsWeightsAloneFlowBack) {
  EXPECT_EQ(output_types("route", {f32({5, 16}), f32({16})}, gate(4, 4, 2))[0], i32({5, 4}));
  expect_refused("route", {f32({5, 16}), f32({15})}, gate(4, 4, 2),
                 "route: bias is f32[E] where logits is [T, E]; expected [16], got [15]");
  expect_refused(
      "route", {f32({5, 16})}, gate(9, 4, 2),
      "route: 9 of 16 experts in 4 groups, of which 2 take part by their best 2; expected at most 4096 experts "
      "in equal groups, and no more chosen than take part");
  GraphUnderTest test;
  const ValueId dweights = test.input("dw", f32({5, 2}));
  route(test.build, test.input("logits", f32({5, 8})), test.input("bias", f32({8})), {.chosen = 2});
  EXPECT_EQ(test.gradient({kNoValue, dweights}), "route_backward -");
}

std::vector<Type> with_rows(const Type& x, int64_t tokens, int64_t experts, const Type& last) {
  return {x, i32({2 * tokens}), i32({tokens, 2}), i32({experts + 1}), last};
}

TEST(ExpertMatmulOp, ChecksItsOperands) {
  const Attributes of_tokens = {{"of_tokens", int64_t{1}}, {"transpose", int64_t{1}}};
  EXPECT_EQ(output_types("expert_matmul", with_rows(f32({5, 8}), 5, 4, f32({4, 6, 8})), of_tokens)[0], f32({10, 6}));
  expect_refused("expert_matmul", with_rows(f32({5, 7}), 5, 4, f32({4, 6, 8})), of_tokens,
                 "expert_matmul: x is [R, D], or of tokens [T, D]; expected [5, 8], got [5, 7]");
  expect_refused("expert_matmul", with_rows(f32({5, 8}), 5, 3, f32({4, 6, 8})), of_tokens,
                 "expert_matmul: begins is i32[E + 1] where the stack is [E, N, D]; expected [5], got [4]");
  const DType int4 = find_block_format("int4_g32")->dtype();
  expect_refused(
      "expert_matmul", with_rows(f32({5, 64}), 5, 4, {int4, {4, 24, 64}}), of_tokens,
      "expert_matmul: rows of a stack in int4_g32 are whole panels; expected a multiple of 16, got [4, 24, 64]");
}

TEST(ExpertMatmulOp, GradientGoesBackToTokensAndToTheStack) {
  GraphUnderTest test;
  const ValueId dy = test.input("dy", f32({10, 6}));
  const ExpertRows rows = {test.input("order", i32({10})), test.input("places", i32({5, 2})),
                           test.input("begins", i32({5}))};
  expert_matmul(test.build, test.input("x", f32({5, 8})), rows, test.input("stack", f32({4, 6, 8})), true);
  EXPECT_EQ(test.gradient({dy}), "combine_rows - - - expert_matmul_gradient");
}

TEST(HeadProductsOp, ChecksItsOperandsAndTurnsBack) {
  const Attributes into = {{"heads", int64_t{2}},
                           {"first", int64_t{0}},
                           {"rows", int64_t{3}},
                           {"tail", int64_t{4}},
                           {"to_latents", int64_t{1}}};
  EXPECT_EQ(output_types("head_products", {f32({5, 14}), f32({10, 6})}, into)[0], f32({5, 20}));
  EXPECT_EQ(output_types("head_products", {f32({5, 6}), f32({10, 6})}, into)[0], f32({5, 20}));
  expect_refused("head_products", {f32({5, 10}), f32({10, 6})}, into,
                 "head_products: x is [T, H*X]; expected heads of 7 features, got 2 heads of 5");
  expect_refused("head_products", {f32({5, 14}), f32({4, 6})}, into,
                 "head_products: the weight is [H*W, L]; expected 2 heads of 3 rows or more, got f32[4, 6]");
  GraphUnderTest test;
  const ValueId dy = test.input("dy", f32({5, 20}));
  head_products(test.build, test.input("x", f32({5, 14})), test.input("w", f32({10, 6})),
                {.heads = 2, .first = 0, .rows = 3, .tail = 4});
  EXPECT_EQ(test.gradient({dy}), "head_products.1 head_products_gradient");
}

TEST(FetchExpertsOp, ReadsIntoSlotsThatAreThere) {
  const Type stack = f32({4, 16, 64});  // a page an expert
  const Attributes most = {{"most", int64_t{3}}, {"share", 0.5}};
  const Typed fetch("fetch_experts", {{DType::u8, {3, 8192}}, i32({5}), stack, stack}, most);
  EXPECT_EQ(fetch.outputs[1], i32({4}));
  EXPECT_EQ(fetch.in_place(), "0<-0");
  EXPECT_EQ(fetch.op->price(fetch.node()).bytes, 3 * 0.5 * 8192);
  expect_refused("fetch_experts", {{DType::u8, {2, 8192}}, i32({5}), stack, stack}, most,
                 "fetch_experts: all experts of a step have slots; expected 3 or more, got 2");
  expect_refused("fetch_experts", {{DType::u8, {3, 4096}}, i32({5}), stack, stack}, most,
                 "fetch_experts: slots is u8[S, B], B the bytes of an expert in whole pages; expected [3, 8192], got "
                 "[3, 4096]");
}

}  // namespace
}  // namespace headroom::testing
