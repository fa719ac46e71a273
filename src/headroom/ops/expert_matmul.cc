// Products of rows with the matrices of their experts, and the gradient of those.
//   T tokens, K experts of each, R = T K rows, E experts, N x D a matrix
#include "headroom/ops/expert_matmul.h"

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

bool is_set(const Attributes& attributes, std::string_view key) { return attributes.integer(key) != 0; }

// Inputs 1 to 3 of each: order, places, begins of `experts` experts. Their R.
int64_t expect_grouping(std::string_view op, std::span<const Type> inputs, int64_t experts) {
  expect_rank(op, "order is i32[R]", 1, inputs[1]);
  expect_dtype(op, "order is i32[R]", DType::i32, inputs[1]);
  const int64_t rows = inputs[1].shape[0];
  expect_rank(op, "places is i32[T, K]", 2, inputs[2]);
  expect_type(op, "places is i32[T, K], R in all",
              i32({rows / std::max<int64_t>(inputs[2].shape[1], 1), inputs[2].shape[1]}), inputs[2]);
  expect_type(op, "begins is i32[E + 1] where the stack is [E, N, D]", i32({experts + 1}), inputs[3]);
  return rows;
}

// Rows of x or of what goes with it: T, or R.
int64_t operand_rows(std::span<const Type> inputs, bool of_tokens) {
  return of_tokens ? inputs[2].shape[0] : inputs[1].shape[0];
}

double stack_flops(int64_t rows, const Shape& stack) {
  return 2 * static_cast<double>(rows) * static_cast<double>(stack[1]) * static_cast<double>(stack[2]);
}

class ExpertMatmul : public Op {
 public:
  ExpertMatmul() : Op("expert_matmul") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 5, 5);
    const Type& stack = inputs[4];
    expect_rank(name(), "the stack is [E, N, D]", 3, stack);
    expect_factors(name(), inputs[0], stack);
    if (as_grouped(stack.dtype) != nullptr && stack.shape[1] % kPanelRows != 0) {
      throw InvalidInput("{}: rows of a stack in {} are whole panels; expected a multiple of {}, got {}", name(),
                         name_of(stack.dtype), kPanelRows, to_string(stack.shape));
    }
    const int64_t rows = expect_grouping(name(), inputs, stack.shape[0]);
    const bool transposes = is_set(attributes, "transpose");
    const int64_t depth = stack.shape[transposes ? 2 : 1];
    const Type expected = {inputs[0].dtype, {operand_rows(inputs, is_set(attributes, "of_tokens")), depth}};
    expect_type(name(), "x is [R, D], or of tokens [T, D]", expected, inputs[0]);
    return {{inputs[0].dtype, {rows, stack.shape[transposes ? 1 : 2]}}};
  }

  // Of the stack, what the rows can touch.
  Price price(const TypedNode& node) const override {
    const Type& stack = node.inputs[4];
    const double touched = static_cast<double>(std::min(stack.shape[0], node.outputs[0].shape[0])) /
                           static_cast<double>(std::max<int64_t>(stack.shape[0], 1));
    return {.flops = stack_flops(node.outputs[0].shape[0], stack.shape),
            .bytes = bytes_touched(node) - (1 - touched) * static_cast<double>(stack.bytes())};
  }

  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    std::vector<ValueId> of_inputs(forward.inputs.size(), kNoValue);
    const ValueId dy = gradients[0];
    if (dy == kNoValue) return of_inputs;
    const std::vector<ValueId>& x = forward.inputs;
    const bool of_tokens = is_set(forward.attributes, "of_tokens");
    ensure(is_set(forward.attributes, "transpose"), "expert_matmul: a gradient has no gradient");
    if (build.wants_gradient(x[0])) {
      of_inputs[0] = build.value("expert_matmul", {dy, x[1], x[2], x[3], x[4]},
                                 {{"of_tokens", int64_t{0}}, {"transpose", int64_t{0}}});
      if (of_tokens) of_inputs[0] = combine_rows(build, of_inputs[0], x[2], kNoValue);
    }
    if (build.wants_gradient(x[4])) {
      of_inputs[4] = build.value("expert_matmul_gradient", {x[0], x[1], x[2], x[3], dy},
                                 {{"of_tokens", int64_t{of_tokens}}}, gradient_role(build, x[4]));
    }
    return of_inputs;
  }

  bool reads_blocks(size_t input) const override { return input == 4; }
};

// x as the forward's, the grouping, dy [R, N] -> f32[E, N, D]: of each expert dy^T x over its rows, chains over these,
// of f32 whatever x is in; an expert without rows has +0. With a sum f32[E, N, D] (its storage), the chains go on from
// it.
class ExpertMatmulGradient : public Op {
 public:
  ExpertMatmulGradient() : Op("expert_matmul_gradient") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 5, 6);
    expect_rank(name(), "begins is i32[E + 1]", 1, inputs[3]);
    const int64_t experts = inputs[3].shape[0] - 1;
    const int64_t rows = expect_grouping(name(), inputs, experts);
    expect_rows(name(), "x is [R, D], or of tokens [T, D]", inputs[0]);
    const Shape x = {operand_rows(inputs, is_set(attributes, "of_tokens")), inputs[0].shape[1]};
    expect_type(name(), "x is [R, D], or of tokens [T, D]", {inputs[0].dtype, x}, inputs[0]);
    expect_rank(name(), "dy is [R, N]", 2, inputs[4]);
    expect_type(name(), "dy is [R, N] in x's format", {inputs[0].dtype, {rows, inputs[4].shape[1]}}, inputs[4]);
    const Type stack = f32({experts, inputs[4].shape[1], inputs[0].shape[1]});
    if (inputs.size() == 6) expect_type(name(), "the sum is [E, N, D]", stack, inputs[5]);
    return {stack};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    if (node.inputs.size() < 6) return {};
    return {{.output = 0, .input = 5}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = stack_flops(node.inputs[1].shape[0], node.outputs[0].shape), .bytes = bytes_touched(node)};
  }

  bool continues_sum() const override { return true; }
};

}  // namespace

ValueId expert_matmul(Builder& build, ValueId x, const ExpertRows& rows, ValueId stack, bool of_tokens) {
  return build.value("expert_matmul", {x, rows.order, rows.places, rows.begins, stack},
                     {{"of_tokens", int64_t{of_tokens}}, {"transpose", int64_t{1}}});
}

}  // namespace headroom

static const headroom::ExpertMatmul expert_matmul_op;
HEADROOM_OP(expert_matmul_op);
static const headroom::ExpertMatmulGradient expert_matmul_gradient_op;
HEADROOM_OP(expert_matmul_gradient_op);
