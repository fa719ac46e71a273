// The loss head and its backward.
//   T tokens, F features, V vocabulary.
#include "headroom/ops/linear_cross_entropy.h"

#include "headroom/backend/vocabulary_tiles.h"
#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

static_assert(kLossPanelRows % kVocabularyTile == 0);

// x [T, F], weight [V, F], targets i32[T].
void expect_head(std::string_view op, std::span<const Type> inputs) {
  expect_rows(op, "x is [T, F] in f32, bf16 or f16", inputs[0]);
  expect_weight_or_blocks(op, "weight is [V, F] in a weight's format", inputs[1]);
  expect_factors(op, inputs[0], inputs[1]);
  expect_rank(op, "weight is [V, F]", 2, inputs[1]);
  const int64_t tokens = inputs[0].shape[0];
  const int64_t features = inputs[0].shape[1];
  const int64_t vocabulary = inputs[1].shape[0];
  expect_type(op, "weight is [V, F] where x is [T, F]", {inputs[1].dtype, {vocabulary, features}}, inputs[1]);
  expect_type(op, "targets are i32[T] where x is [T, F]", i32({tokens}), inputs[2]);
  if (tokens < 1 || features < 1 || vocabulary < 1) {
    throw InvalidInput("{}: x is {}, weight {}; expected no empty dimension, got one", op, to_string(inputs[0]),
                       to_string(inputs[1]));
  }
}

// T * V * F
double volume(const TypedNode& node) {
  return static_cast<double>(node.inputs[0].shape.elements()) * static_cast<double>(node.inputs[1].shape[0]);
}

// The elementwise work: one exponential a logit and what surrounds it.
double logits(const TypedNode& node) {
  return static_cast<double>(node.inputs[0].shape[0]) * static_cast<double>(node.inputs[1].shape[0]);
}

// Whether the weight's gradient is made, too: not with the attribute "frozen".
bool trains_weight(const Attributes& attributes) { return !attributes.has("frozen"); }

class LinearCrossEntropy : public Op {
 public:
  LinearCrossEntropy() : Op("linear_cross_entropy") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 3, 3);
    expect_head(name(), inputs);
    const Type per_token = f32({inputs[0].shape[0]});
    return {per_token, per_token};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 2 * volume(node) + 20 * logits(node), .bytes = bytes_touched(node)};
  }

  bool reads_blocks(size_t input) const override { return input == 1; }

  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    ensure(gradients[1] == kNoValue, "linear_cross_entropy: lse has no gradient");
    const ValueId weight = forward.inputs[1];
    const ValueId x = forward.inputs[0];
    const ValueId targets = forward.inputs[2];
    const ValueId lse = forward.outputs[1];
    if (!build.wants_gradient(weight)) {
      const ValueId dx = build.value("linear_cross_entropy_backward", {x, weight, targets, lse, gradients[0]},
                                     {{"frozen", int64_t{1}}});
      return {dx, kNoValue, kNoValue};
    }
    const LossGradients result = linear_cross_entropy_backward(build, x, weight, targets, lse, gradients[0]);
    return {result.dx, result.dweight, kNoValue};
  }
};

class LinearCrossEntropyPanel : public Op {
 public:
  LinearCrossEntropyPanel() : Op("linear_cross_entropy_panel") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    const int64_t first_row = attributes.integer("first_row");
    const size_t count = first_row == 0 ? 3 : 4;
    expect_inputs(name(), inputs, count, count);
    expect_head(name(), inputs);
    if (first_row < 0 || first_row % kLossPanelRows != 0) {
      throw InvalidInput("{}: a panel begins on a multiple of {} rows; got {}", name(), kLossPanelRows, first_row);
    }
    const Type left = f32({3, inputs[0].shape[0]});
    if (count == 4) expect_type(name(), "before is f32[3, T] where x is [T, F]", left, inputs[3]);
    return {left};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    if (node.inputs.size() < 4) return {};
    return {{.output = 0, .input = 3}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 2 * volume(node) + 20 * logits(node), .bytes = bytes_touched(node)};
  }

  bool reads_blocks(size_t input) const override { return input == 1; }
};

class LinearCrossEntropyOfPanels : public Op {
 public:
  LinearCrossEntropyOfPanels() : Op("linear_cross_entropy_of_panels") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 2, 2);
    attributes.integer("vocabulary");
    expect_rank(name(), "targets are i32[T]", 1, inputs[1]);
    const int64_t tokens = inputs[1].shape[0];
    expect_type(name(), "targets are i32[T]", i32({tokens}), inputs[1]);
    expect_type(name(), "panels is f32[3, T] where targets are i32[T]", f32({3, tokens}), inputs[0]);
    return {f32({tokens}), f32({tokens})};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 20.0 * static_cast<double>(node.inputs[1].shape[0]), .bytes = bytes_touched(node)};
  }
};

class LinearCrossEntropyBackward : public Op {
 public:
  LinearCrossEntropyBackward() : Op("linear_cross_entropy_backward") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 5, trains_weight(attributes) ? 6 : 5);
    expect_head(name(), inputs);
    expect_type(name(), "lse is [T] where x is [T, F]", f32({inputs[0].shape[0]}), inputs[3]);
    expect_type(name(), "scale is one number", f32({1}), inputs[4]);
    if (!trains_weight(attributes)) return {inputs[0]};
    const Type sum = f32(inputs[1].shape);
    if (inputs.size() == 6) expect_type(name(), "sum is f32[V, F]", sum, inputs[5]);
    return {sum, inputs[0]};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    if (node.inputs.size() < 6) return {};
    return {{.output = 0, .input = 5}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = (trains_weight(node.attributes) ? 6 : 4) * volume(node) + 16 * logits(node),
            .bytes = bytes_touched(node)};
  }

  bool continues_sum() const override { return true; }
  bool reads_blocks(size_t input) const override { return input == 1; }
};

class LinearCrossEntropyWithGradients : public Op {
 public:
  LinearCrossEntropyWithGradients() : Op("linear_cross_entropy_with_gradients") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 4, trains_weight(attributes) ? 5 : 4);
    expect_head(name(), inputs);
    expect_type(name(), "scale is one number", f32({1}), inputs[3]);
    if (!trains_weight(attributes)) return {inputs[0], f32({inputs[0].shape[0]})};
    const Type sum = f32(inputs[1].shape);
    if (inputs.size() == 5) expect_type(name(), "sum is f32[V, F]", sum, inputs[4]);
    return {sum, inputs[0], f32({inputs[0].shape[0]})};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    if (node.inputs.size() < 5) return {};
    return {{.output = 0, .input = 4}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = (trains_weight(node.attributes) ? 6 : 4) * volume(node) + 36 * logits(node),
            .bytes = bytes_touched(node)};
  }

  bool continues_sum() const override { return true; }
  bool reads_blocks(size_t input) const override { return input == 1; }
};

}  // namespace

LossResult linear_cross_entropy(Builder& build, ValueId x, ValueId weight, ValueId targets) {
  const std::vector<ValueId> outputs = build.node("linear_cross_entropy", {x, weight, targets});
  return {outputs[0], outputs[1]};
}

ValueId linear_cross_entropy_panel(Builder& build, ValueId x, ValueId weight, ValueId targets, int64_t first_row,
                                   ValueId before) {
  std::vector<ValueId> inputs = {x, weight, targets};
  if (before != kNoValue) inputs.push_back(before);
  return build.value("linear_cross_entropy_panel", inputs, {{"first_row", first_row}});
}

LossResult linear_cross_entropy_of_panels(Builder& build, ValueId panels, ValueId targets, int64_t vocabulary) {
  const std::vector<ValueId> outputs =
      build.node("linear_cross_entropy_of_panels", {panels, targets}, {{"vocabulary", vocabulary}});
  return {outputs[0], outputs[1]};
}

LossGradients linear_cross_entropy_backward(Builder& build, ValueId x, ValueId weight, ValueId targets, ValueId lse,
                                            ValueId scale, ValueId sum) {
  std::vector<ValueId> inputs = {x, weight, targets, lse, scale};
  if (sum != kNoValue) inputs.push_back(sum);
  const std::vector<ValueId> outputs = build.node("linear_cross_entropy_backward", inputs);
  build.graph().value(outputs[0]).role = gradient_role(build, weight);
  return {outputs[0], outputs[1]};
}

LossAndGradients linear_cross_entropy_with_gradients(Builder& build, ValueId x, ValueId weight, ValueId targets,
                                                     ValueId scale, ValueId sum) {
  std::vector<ValueId> inputs = {x, weight, targets, scale};
  if (sum != kNoValue) inputs.push_back(sum);
  const std::vector<ValueId> outputs = build.node("linear_cross_entropy_with_gradients", inputs);
  build.graph().value(outputs[0]).role = gradient_role(build, weight);
  return {outputs[0], outputs[1], outputs[2]};
}

}  // namespace headroom

static const headroom::LinearCrossEntropy linear_cross_entropy_op;
HEADROOM_OP(linear_cross_entropy_op);
static const headroom::LinearCrossEntropyPanel linear_cross_entropy_panel_op;
HEADROOM_OP(linear_cross_entropy_panel_op);
static const headroom::LinearCrossEntropyOfPanels linear_cross_entropy_of_panels_op;
HEADROOM_OP(linear_cross_entropy_of_panels_op);
static const headroom::LinearCrossEntropyBackward linear_cross_entropy_backward_op;
HEADROOM_OP(linear_cross_entropy_backward_op);
static const headroom::LinearCrossEntropyWithGradients linear_cross_entropy_with_gradients_op;
HEADROOM_OP(linear_cross_entropy_with_gradients_op);
