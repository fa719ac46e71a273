#include "headroom/ops/argmax.h"

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class ArgMax : public Op {
 public:
  ArgMax() : Op("argmax") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 1, 1);
    expect_matrix(name(), "x is f32[T, V]", inputs[0]);
    if (inputs[0].shape[1] < 1) throw InvalidInput("argmax: x is [T, V]; expected V of 1 or more, got 0");
    return {i32({inputs[0].shape[0]})};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 2 * static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }
};

}  // namespace

ValueId argmax(Builder& build, ValueId x) { return build.value("argmax", {x}); }

}  // namespace headroom

static const headroom::ArgMax argmax_op;
HEADROOM_OP(argmax_op);
