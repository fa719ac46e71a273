// A bias added to every row, and its gradient.
//   T tokens, F features.
#include "headroom/ops/add_bias.h"

#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class AddBias : public Op {
 public:
  AddBias() : Op("add_bias") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 2, 2);
    expect_rows(name(), "x is [T, F] in f32, bf16 or f16", inputs[0]);
    expect_weight(name(), "bias is [F] in a weight's format", inputs[1]);
    expect_type(name(), "bias is [F] where x is [T, F]", {inputs[1].dtype, {inputs[0].shape[1]}}, inputs[1]);
    return {inputs[0]};
  }

  std::vector<StoragePair> may_reuse(const TypedNode&) const override { return {{.output = 0, .input = 0}}; }

  Price price(const TypedNode& node) const override {
    return {.flops = static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }

  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    const ValueId dy = gradients[0];
    const ValueId bias = forward.inputs[1];
    if (!build.wants_gradient(bias)) return {dy, kNoValue};
    return {dy, build.value("bias_gradient", {dy}, {}, gradient_role(build, bias))};
  }
};

class BiasGradient : public Op {
 public:
  BiasGradient() : Op("bias_gradient") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 1, 2);
    expect_rows(name(), "dy is [T, F] in f32, bf16 or f16", inputs[0]);
    const Type sum = f32({inputs[0].shape[1]});
    if (inputs.size() == 2) expect_type(name(), "sum is [F] where dy is [T, F]", sum, inputs[1]);
    return {sum};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    if (node.inputs.size() < 2) return {};
    return {{.output = 0, .input = 1}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }

  bool continues_sum() const override { return true; }
};

}  // namespace

ValueId add_bias(Builder& build, ValueId x, ValueId bias) { return build.value("add_bias", {x, bias}); }

}  // namespace headroom

static const headroom::AddBias add_bias_op;
HEADROOM_OP(add_bias_op);
static const headroom::BiasGradient bias_gradient_op;
HEADROOM_OP(bias_gradient_op);
