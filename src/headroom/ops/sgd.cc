// SGD's step as a node.
#include "headroom/ops/sgd.h"

#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class Sgd : public Op {
 public:
  Sgd() : Op("sgd") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 3, 4);
    expect_dtype(name(), "weight is f32", DType::f32, inputs[0]);
    expect_type(name(), "gradient has weight's shape", inputs[0], inputs[1]);
    expect_type(name(), "scalars is f32[3]", f32({3}), inputs[2]);
    if (inputs.size() == 4) expect_type(name(), "gradient_scale is f32[1]", f32({1}), inputs[3]);
    return {inputs[0]};
  }

  std::vector<StoragePair> in_place(const TypedNode&) const override { return {{.output = 0, .input = 0}}; }

  Price price(const TypedNode& node) const override {
    return {.flops = 3 * static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }
};

}  // namespace

ValueId sgd(Builder& build, ValueId weight, ValueId gradient, ValueId scalars, ValueId gradient_scale) {
  std::vector<ValueId> inputs = {weight, gradient, scalars};
  if (gradient_scale != kNoValue) inputs.push_back(gradient_scale);
  return build.value("sgd", inputs, {}, Role::weight);
}

}  // namespace headroom

static const headroom::Sgd sgd_op;
HEADROOM_OP(sgd_op);
