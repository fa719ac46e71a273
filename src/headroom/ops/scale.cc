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
    return {inputs[0]};
  }

  std::vector<StoragePair> may_reuse(const TypedNode&) const override { return {{.output = 0, .input = 0}}; }

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

}  // namespace headroom

static const headroom::Scale scale_op;
HEADROOM_OP(scale_op);
