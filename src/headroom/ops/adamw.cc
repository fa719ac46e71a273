// AdamW's step as a node.
#include "headroom/ops/adamw.h"

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"
#include "headroom/ops/panel.h"
#include "headroom/ops/random_key.h"

namespace headroom {
namespace {

class Adamw : public Op {
 public:
  Adamw() : Op("adamw") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    inputs = without_random_key(name(), inputs, attributes);
    expect_inputs(name(), inputs, 5, 6);
    const Type state = f32(inputs[0].shape);
    expect_panel(name(), "weight is whole", inputs[0], inputs[0], attributes);
    expect_panel(name(), "m has weight's shape", state, inputs[1], attributes);
    expect_panel(name(), "v has weight's shape", state, inputs[2], attributes);
    expect_panel(name(), "gradient has weight's shape", state, inputs[3], attributes);
    expect_type(name(), "scalars is f32[3]", f32({3}), inputs[4]);
    if (inputs.size() == 6) expect_type(name(), "gradient_scale is f32[1]", f32({1}), inputs[5]);
    expect_range(name(), "beta1", attributes.real("beta1"), 1);
    expect_range(name(), "beta2", attributes.real("beta2"), 1);
    expect_range(name(), "eps", attributes.real("eps"), 1);
    expect_range(name(), "weight_decay", attributes.real("weight_decay"), 1e6);
    return {inputs[0], inputs[1], inputs[2]};
  }

  int64_t panel_unit() const override { return 1; }

  std::vector<StoragePair> in_place(const TypedNode&) const override {
    return {{.output = 0, .input = 0}, {.output = 1, .input = 1}, {.output = 2, .input = 2}};
  }

  Price price(const TypedNode& node) const override {
    const auto updated = static_cast<double>(updated_elements(node.inputs[0], node.attributes));
    return {.flops = 15 * updated, .bytes = 7 * sizeof(float) * updated};
  }
};

}  // namespace

AdamwState adamw(Builder& build, const AdamwState& state, ValueId gradient, ValueId scalars, ValueId gradient_scale,
                 const AdamwSettings& settings) {
  std::vector<ValueId> inputs = {state.weight, state.m, state.v, gradient, scalars};
  if (gradient_scale != kNoValue) inputs.push_back(gradient_scale);
  Attributes attributes = {{"beta1", settings.beta1},
                           {"beta2", settings.beta2},
                           {"eps", settings.eps},
                           {"weight_decay", settings.weight_decay}};
  draw_for_weight(build, state.weight, inputs, attributes);
  const std::vector<ValueId> outputs = build.node("adamw", inputs, attributes, Role::optimizer_state);
  build.graph().value(outputs[0]).role = Role::weight;
  return {outputs[0], outputs[1], outputs[2]};
}

}  // namespace headroom

static const headroom::Adamw adamw_op;
HEADROOM_OP(adamw_op);
