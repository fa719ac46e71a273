// SGD's step as a node.
#include "headroom/ops/sgd.h"

#include "headroom/ops/expect.h"
#include "headroom/ops/panel.h"
#include "headroom/ops/random_key.h"

namespace headroom {
namespace {

class Sgd : public Op {
 public:
  Sgd() : Op("sgd") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    inputs = without_random_key(name(), inputs, attributes);
    expect_inputs(name(), inputs, 3, 4);
    expect_panel(name(), "weight is whole", inputs[0], inputs[0], attributes);
    expect_panel(name(), "gradient has weight's shape", f32(inputs[0].shape), inputs[1], attributes);
    expect_type(name(), "scalars is f32[3]", f32({3}), inputs[2]);
    if (inputs.size() == 4) expect_type(name(), "gradient_scale is f32[1]", f32({1}), inputs[3]);
    return {inputs[0]};
  }

  std::vector<StoragePair> in_place(const TypedNode&) const override { return {{.output = 0, .input = 0}}; }

  int64_t panel_unit() const override { return 1; }

  Price price(const TypedNode& node) const override {
    const auto updated = static_cast<double>(updated_elements(node.inputs[0], node.attributes));
    return {.flops = 3 * updated, .bytes = 3 * sizeof(float) * updated};
  }
};

}  // namespace

ValueId sgd(Builder& build, ValueId weight, ValueId gradient, ValueId scalars, ValueId gradient_scale) {
  std::vector<ValueId> inputs = {weight, gradient, scalars};
  if (gradient_scale != kNoValue) inputs.push_back(gradient_scale);
  Attributes attributes;
  draw_for_weight(build, weight, inputs, attributes);
  return build.value("sgd", inputs, attributes, Role::weight);
}

}  // namespace headroom

static const headroom::Sgd sgd_op;
HEADROOM_OP(sgd_op);
