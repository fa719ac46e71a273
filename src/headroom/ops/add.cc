// Element by element addition. Both gradients are the output's own. With the attribute in_place=1 the sum takes a's
// storage, whoever keeps that.
#include "headroom/ops/add.h"

#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class Add : public Op {
 public:
  Add() : Op("add") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 2, 2);
    expect_weight(name(), "a is f32, bf16 or f16", inputs[0]);
    expect_type(name(), "b has a's shape", inputs[0], inputs[1]);
    return {inputs[0]};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    if (!node.attributes.has("in_place")) return {};
    return {{.output = 0, .input = 0}};
  }

  std::vector<StoragePair> may_reuse(const TypedNode& node) const override {
    if (node.attributes.has("in_place")) return {};
    return {{.output = 0, .input = 0}, {.output = 0, .input = 1}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }

  std::vector<ValueId> gradient(Builder&, const Node&, std::span<const ValueId> gradients) const override {
    return {gradients[0], gradients[0]};
  }
};

}  // namespace

ValueId add(Builder& build, ValueId a, ValueId b, Role role) { return build.value("add", {a, b}, {}, role); }

}  // namespace headroom

static const headroom::Add add_op;
HEADROOM_OP(add_op);
