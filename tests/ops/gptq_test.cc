// Ops that choose codes: the sentences of their shape rules, and which storage they write.
#include "headroom/ops/gptq.h"

#include "headroom/base/grouped_format.h"
#include "headroom/ops/encode.h"
#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

const DType kInt4 = find_grouped(4, false, 32)->dtype();

TEST(FactorGramOp, ChecksItsOperands) {
  const Attributes good = {{"damping", 0.01}, {"group", int64_t{32}}};
  const std::vector<Type> outputs = output_types("factor_gram", {f32({64, 64})}, good);
  EXPECT_EQ(outputs, (std::vector<Type>{f32({64, 64}), i32({64}), f32({64})}));
  expect_refused("factor_gram", {f32({64, 32})}, good,
                 "factor_gram: gram is f32[K, K]; expected [32, 32], got [64, 32]");
  expect_refused("factor_gram", {f32({48, 48})}, good, "factor_gram: groups of 32 columns; expected a divisor of 48");
  expect_refused("factor_gram", {f32({64, 64})}, {{"damping", 0.0}, {"group", int64_t{32}}},
                 "factor_gram: damping 0; expected more than 0");
}

TEST(GptqOp, ChecksItsOperands) {
  const Attributes one = {{"search", int64_t{1}}, {"sweeps", int64_t{0}}};
  const Type weight = {DType::bf16, {48, 64}};
  const Type target = {kInt4, {48, 64}};
  EXPECT_EQ(output_types("gptq", {weight, f32({64, 64}), i32({64}), f32({64}), target}, one),
            (std::vector<Type>{target, f32({48})}));
  expect_refused("gptq", {weight, f32({48, 48}), i32({64}), f32({64}), target}, one,
                 "gptq: factor is f32[K, K] where weight is [N, K]; expected [64, 64], got [48, 48]");
  expect_refused("gptq", {weight, f32({64, 64}), i32({48}), f32({64}), target}, one,
                 "gptq: order is i32[K] where weight is [N, K]; expected [64], got [48]");
  expect_refused("gptq", {weight, f32({64, 64}), i32({64}), f32({64}), weight}, one,
                 "gptq: target is weight's shape in a grouped format; expected [48, 64] as int4_g128 or its like, got "
                 "bf16[48, 64]");
  const std::vector<Type> good = {weight, f32({64, 64}), i32({64}), f32({64}), target};
  expect_refused("gptq", good, {{"search", int64_t{41}}, {"sweeps", int64_t{0}}},
                 "gptq: search 41; expected 1 to 40 grids");
  expect_refused("gptq", good, {{"search", int64_t{1}}, {"sweeps", int64_t{17}}}, "gptq: sweeps 17; expected 0 to 16");
  expect_refused("gptq", {weight, f32({64, 64}), i32({64}), f32({64}), target, f32({64, 48})}, one,
                 "gptq: pull is f32[N, K]; expected [48, 64], got [64, 48]");
}

TEST(GramLossesOp, ChecksItsOperands) {
  const Type weight = f32({48, 64});
  EXPECT_EQ(output_types("gram_losses", {weight, f32({64, 64}), i32({64}), {kInt4, {48, 64}}})[0], f32({48}));
  EXPECT_EQ(output_types("gram_losses", {weight, f32({64, 64}), i32({64})})[0], f32({48}));
  expect_refused("gram_losses", {weight, f32({64, 64}), i32({64}), f32({64, 48})}, {},
                 "gram_losses: quantized has weight's shape; expected [48, 64], got [64, 48]");
}

TEST(EncodeOp, ChecksItsOperands) {
  const Attributes to_int4 = {{"format", static_cast<int64_t>(kInt4)}};
  EXPECT_EQ(output_types("encode", {f32({48, 64})}, to_int4)[0], (Type{kInt4, {48, 64}}));
  expect_refused("encode", {f32({48, 64})}, {{"format", static_cast<int64_t>(DType::bf16)}},
                 "encode: expected a grouped format, got bf16");
  expect_refused(
      "encode", {f32({48, 40})}, to_int4,
      "int4_g32: rows are whole groups; expected a multiple of 32 elements, got [48, 40]; try smaller groups");
}

}  // namespace
}  // namespace headroom::testing
