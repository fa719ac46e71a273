// Without a gradient: what is quantised is not trained.
#include "headroom/ops/dequantize.h"

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class Dequantize : public Op {
 public:
  Dequantize() : Op("dequantize") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 1, 1);
    if (is_scalar(inputs[0].dtype)) {
      throw InvalidInput("dequantize: weight is in a block format; got {}", to_string(inputs[0]));
    }
    (void)inputs[0].bytes();  // throws for rows that are no whole blocks
    return {f32(inputs[0].shape)};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = static_cast<double>(node.outputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }
};

}  // namespace

ValueId dequantize(Builder& build, ValueId weight) { return build.value("dequantize", {weight}); }

}  // namespace headroom

static const headroom::Dequantize dequantize_op;
HEADROOM_OP(dequantize_op);
