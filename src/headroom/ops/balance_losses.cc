// The balance loss of a gate, and its backward.
//   T tokens, E experts, K chosen, B sequences
#include "headroom/ops/balance_losses.h"

#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

void expect_gate(std::string_view op, std::span<const Type> inputs, const Attributes& attributes) {
  expect_matrix(op, "logits is f32[T, E]", inputs[0]);
  const Shape& logits = inputs[0].shape;
  expect_rank(op, "choice is i32[T, K]", 2, inputs[1]);
  expect_type(op, "choice is i32[T, K] where logits is [T, E]", i32({logits[0], inputs[1].shape[1]}), inputs[1]);
  expect_rank(op, "sequences is i32[B, 4]", 2, inputs[2]);
  expect_type(op, "sequences is i32[B, 4]", i32({inputs[2].shape[0], 4}), inputs[2]);
  if (logits[1] < 1 || logits[1] > kMostExperts || inputs[1].shape[1] < 1) {
    throw InvalidInput("{}: {} of {} experts chosen; expected 1 or more of 1 to {}", op, inputs[1].shape[1], logits[1],
                       kMostExperts);
  }
  attributes.integer("scoring");
  if (!std::isfinite(attributes.real("alpha"))) throw InvalidInput("{}: alpha is no number", op);
}

class BalanceLosses : public Op {
 public:
  BalanceLosses() : Op("balance_losses") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 3, 3);
    expect_gate(name(), inputs, attributes);
    return {f32({inputs[0].shape[0]})};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 22 * static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }

  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    const std::vector<ValueId>& x = forward.inputs;
    return {build.value("balance_losses_backward", {x[0], x[1], x[2], gradients[0]}, forward.attributes), kNoValue,
            kNoValue};
  }
};

// What the forward reads, and the gradient of every loss, f32[1] -> that of the logits f32[T, E].
class BalanceLossesBackward : public Op {
 public:
  BalanceLossesBackward() : Op("balance_losses_backward") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 4, 4);
    expect_gate(name(), inputs, attributes);
    expect_type(name(), "scale is f32[1]", f32({1}), inputs[3]);
    return {inputs[0]};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 26 * static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }
};

}  // namespace

ValueId balance_losses(Builder& build, ValueId logits, ValueId choice, ValueId sequences, Scoring scoring,
                       double alpha) {
  return build.value("balance_losses", {logits, choice, sequences},
                     {{"scoring", static_cast<int64_t>(scoring)}, {"alpha", alpha}});
}

}  // namespace headroom

static const headroom::BalanceLosses balance_losses_op;
HEADROOM_OP(balance_losses_op);
static const headroom::BalanceLossesBackward balance_losses_backward_op;
HEADROOM_OP(balance_losses_backward_op);
