// Multiplication of all elements by a constant. Its gradient is the same multiplication.
#include "headroom/ops/scale.h"

#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class Scale : public Op {
 public:
  Scale() : Op("scale") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, 1);
    expect_dtype(name(), "x is f32", DType::f32, inputs[0]);
    if (!std::isfinite(attributes.real("factor"))) throw InvalidInput("scale: factor is no number");
    return {{result_dtype(name(), attributes, DType::f32), inputs[0].shape}};
  }

  std::vector<StoragePair> may_reuse(const TypedNode& node) const override {
    if (node.outputs[0].dtype != DType::f32) return {};
    return {{.output = 0, .input = 0}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }

  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    return {scale(build, gradients[0], forward.attributes.real("factor"))};
  }
};

}  // namespace

ValueId scale(Builder& build, ValueId x, double factor) { return build.value("scale", {x}, {{"factor", factor}}); }

ValueId round_to(Builder& build, ValueId x, DType dtype) {
  return build.value("scale", {x}, {{"factor", 1.0}, {"result", static_cast<int64_t>(dtype)}});
}

}  // namespace headroom

static const headroom::Scale scale_op;
HEADROOM_OP(scale_op);
