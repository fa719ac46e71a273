// Counts of NaN, infinities, subnormals and zeros.
#include "headroom/ops/count_numerics.h"

#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class CountNumerics : public Op {
 public:
  CountNumerics() : Op("count_numerics") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 1, 2);
    expect_weight(name(), "x is f32, bf16 or f16", inputs[0]);
    if (inputs.size() == 2) expect_type(name(), "counts is f64[5]", f64({5}), inputs[1]);
    return {f64({5})};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    if (node.inputs.size() < 2) return {};
    return {{.output = 0, .input = 1}};
  }
};

}  // namespace

ValueId count_numerics(Builder& build, ValueId x, ValueId counts) {
  std::vector<ValueId> inputs = {x};
  if (counts != kNoValue) inputs.push_back(counts);
  return build.value("count_numerics", inputs);
}

}  // namespace headroom

static const headroom::CountNumerics count_numerics_op;
HEADROOM_OP(count_numerics_op);
