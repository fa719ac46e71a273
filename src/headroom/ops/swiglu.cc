// SwiGLU and its backward, which computes the sigmoid again instead of keeping it.
//   T tokens, F features.
#include "headroom/ops/swiglu.h"

#include "headroom/ops/expect.h"

namespace headroom {
namespace {

double elements(const TypedNode& node) { return static_cast<double>(node.inputs[0].shape.elements()); }

class Swiglu : public Op {
 public:
  Swiglu() : Op("swiglu") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 2, 2);
    expect_weight(name(), "gate is f32, bf16 or f16", inputs[0]);
    expect_type(name(), "up has gate's shape", inputs[0], inputs[1]);
    return {inputs[0]};
  }

  std::vector<StoragePair> may_reuse(const TypedNode&) const override {
    return {{.output = 0, .input = 0}, {.output = 0, .input = 1}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 24 * elements(node), .bytes = bytes_touched(node)};
  }

  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    if (gradients[0] == kNoValue) return {kNoValue, kNoValue};
    const SwigluGradients result = swiglu_backward(build, forward.inputs[0], forward.inputs[1], gradients[0]);
    return {result.gate, result.up};
  }
};

class SwigluBackward : public Op {
 public:
  SwigluBackward() : Op("swiglu_backward") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 3, 3);
    expect_weight(name(), "gate is f32, bf16 or f16", inputs[0]);
    expect_type(name(), "up has gate's shape", inputs[0], inputs[1]);
    expect_type(name(), "dy has gate's shape", inputs[0], inputs[2]);
    return {inputs[0], inputs[0]};
  }

  // The kernel reads an element's three inputs before it writes its two outputs.
  std::vector<StoragePair> may_reuse(const TypedNode&) const override {
    return {{.output = 0, .input = 0}, {.output = 0, .input = 2}, {.output = 1, .input = 1}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 30 * elements(node), .bytes = bytes_touched(node)};
  }
};

}  // namespace

ValueId swiglu(Builder& build, ValueId gate, ValueId up) { return build.value("swiglu", {gate, up}); }

SwigluGradients swiglu_backward(Builder& build, ValueId gate, ValueId up, ValueId dy) {
  const std::vector<ValueId> outputs = build.node("swiglu_backward", {gate, up, dy});
  return {outputs[0], outputs[1]};
}

}  // namespace headroom

static const headroom::Swiglu swiglu_op;
HEADROOM_OP(swiglu_op);
static const headroom::SwigluBackward swiglu_backward_op;
HEADROOM_OP(swiglu_backward_op);
