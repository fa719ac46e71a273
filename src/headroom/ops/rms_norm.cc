// RMSNorm, its gradient by x and its gradient by the weight.
//   T tokens, F features.
#include "headroom/ops/rms_norm.h"

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

double elements(const Type& type) { return static_cast<double>(type.shape.elements()); }

class RmsNorm : public Op {
 public:
  RmsNorm() : Op("rms_norm") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 2, 2);
    expect_rows(name(), "x is [T, F] in f32, bf16 or f16", inputs[0]);
    expect_weight(name(), "weight is [F] in a weight's format", inputs[1]);
    expect_type(name(), "weight is [F] where x is [T, F]", {inputs[1].dtype, {inputs[0].shape[1]}}, inputs[1]);
    const double eps = attributes.real("eps");
    if (!(eps >= 0)) throw InvalidInput("rms_norm: eps keeps the root above zero; expected 0 or more, got {}", eps);
    return {inputs[0], f32({inputs[0].shape[0]})};
  }

  std::vector<StoragePair> may_reuse(const TypedNode&) const override { return {{.output = 0, .input = 0}}; }

  Price price(const TypedNode& node) const override {
    return {.flops = 4 * elements(node.inputs[0]), .bytes = bytes_touched(node)};
  }

  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    ensure(gradients[1] == kNoValue, "rms_norm: r has no gradient");
    if (gradients[0] == kNoValue) return {kNoValue, kNoValue};
    const ValueId x = forward.inputs[0];
    const ValueId r = forward.outputs[1];
    const ValueId weight = forward.inputs[1];
    std::vector<ValueId> of_inputs(2, kNoValue);
    if (build.wants_gradient(x)) of_inputs[0] = rms_norm_backward(build, x, weight, r, gradients[0]);
    if (build.wants_gradient(weight)) {
      of_inputs[1] = build.value("rms_norm_weight_gradient", {x, r, gradients[0]}, {}, gradient_role(build, weight));
    }
    return of_inputs;
  }
};

class RmsNormBackward : public Op {
 public:
  RmsNormBackward() : Op("rms_norm_backward") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 4, 4);
    expect_rows(name(), "x is [T, F] in f32, bf16 or f16", inputs[0]);
    expect_weight(name(), "weight is [F] in a weight's format", inputs[1]);
    expect_type(name(), "weight is [F] where x is [T, F]", {inputs[1].dtype, {inputs[0].shape[1]}}, inputs[1]);
    expect_type(name(), "r is [T] where x is [T, F]", f32({inputs[0].shape[0]}), inputs[2]);
    expect_type(name(), "dy has x's shape", inputs[0], inputs[3]);
    return {inputs[0]};
  }

  // A row is read whole before it is written, then element by element.
  std::vector<StoragePair> may_reuse(const TypedNode&) const override {
    return {{.output = 0, .input = 3}, {.output = 0, .input = 0}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 7 * elements(node.inputs[0]), .bytes = bytes_touched(node)};
  }
};

class RmsNormWeightGradient : public Op {
 public:
  RmsNormWeightGradient() : Op("rms_norm_weight_gradient") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 3, 4);
    expect_rows(name(), "x is [T, F] in f32, bf16 or f16", inputs[0]);
    expect_type(name(), "r is [T] where x is [T, F]", f32({inputs[0].shape[0]}), inputs[1]);
    expect_type(name(), "dy has x's shape", inputs[0], inputs[2]);
    const Type sum = f32({inputs[0].shape[1]});
    if (inputs.size() == 4) expect_type(name(), "sum is [F] where x is [T, F]", sum, inputs[3]);
    return {sum};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    if (node.inputs.size() < 4) return {};
    return {{.output = 0, .input = 3}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 3 * elements(node.inputs[0]), .bytes = bytes_touched(node)};
  }

  bool continues_sum() const override { return true; }
};

}  // namespace

RmsNormResult rms_norm(Builder& build, ValueId x, ValueId weight, double eps) {
  const std::vector<ValueId> outputs = build.node("rms_norm", {x, weight}, {{"eps", eps}});
  return {outputs[0], outputs[1]};
}

ValueId rms_norm_backward(Builder& build, ValueId x, ValueId weight, ValueId r, ValueId dy) {
  return build.value("rms_norm_backward", {x, weight, r, dy});
}

ValueId rms_norm_weight_gradient(Builder& build, ValueId x, ValueId r, ValueId dy, ValueId sum) {
  std::vector<ValueId> inputs = {x, r, dy};
  if (sum != kNoValue) inputs.push_back(sum);
  return build.value("rms_norm_weight_gradient", inputs, {}, Role::gradient);
}

}  // namespace headroom

static const headroom::RmsNorm rms_norm_op;
HEADROOM_OP(rms_norm_op);
static const headroom::RmsNormBackward rms_norm_backward_op;
HEADROOM_OP(rms_norm_backward_op);
static const headroom::RmsNormWeightGradient rms_norm_weight_gradient_op;
HEADROOM_OP(rms_norm_weight_gradient_op);
