// Sums in f64.
#include "headroom/ops/sum.h"

#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class WholeSum : public Op {
 public:
  using Op::Op;

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 1, 1);
    expect_dtype(name(), "x is f32", DType::f32, inputs[0]);
    return {f64({1})};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 2 * static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }
};

}  // namespace

ValueId sum(Builder& build, ValueId x) { return build.value("sum", {x}); }

ValueId squared_norm(Builder& build, ValueId g) { return build.value("squared_norm", {g}); }

}  // namespace headroom

static const headroom::WholeSum sum_op("sum");
HEADROOM_OP(sum_op);
static const headroom::WholeSum squared_norm_op("squared_norm");
HEADROOM_OP(squared_norm_op);
