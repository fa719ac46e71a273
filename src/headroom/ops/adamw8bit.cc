// AdamW's step over 8-bit moments as a node.
#include "headroom/ops/adamw8bit.h"

#include "headroom/base/dynamic_map.h"
#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"
#include "headroom/ops/panel.h"
#include "headroom/ops/random_key.h"

namespace headroom {
namespace {

// Inputs: weight, m, m_scale, v, v_scale, gradient, scalars, then random_key where the weight is bf16, then
// gradient_scale if there is one. Of a panel (ops/panel.h) the scales are its own, or whole.
class Adamw8bit : public Op {
 public:
  Adamw8bit() : Op("adamw8bit") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 7, 9);
    const Type& weight = inputs[0];
    if (weight.dtype != DType::bf16) expect_dtype(name(), "weight is f32 or bf16", DType::f32, weight);
    const size_t rounded = weight.dtype == DType::bf16 ? 1 : 0;
    expect_inputs(name(), inputs, 7 + rounded, 8 + rounded);
    expect_panel(name(), "weight is whole", weight, weight, attributes);
    expect_panel(name(), "m has weight's shape", codes_type(weight.shape), inputs[1], attributes);
    expect_scales(inputs[2], "m_scale is one number a block of 256", weight, attributes);
    expect_panel(name(), "v has weight's shape", codes_type(weight.shape), inputs[3], attributes);
    expect_scales(inputs[4], "v_scale is one number a block of 256", weight, attributes);
    expect_panel(name(), "gradient has weight's shape", f32(weight.shape), inputs[5], attributes);
    expect_type(name(), "scalars is f32[3]", f32({3}), inputs[6]);
    if (rounded == 1) expect_random_key(name(), inputs[7], attributes);
    if (inputs.size() == 8 + rounded) expect_type(name(), "gradient_scale is f32[1]", f32({1}), inputs[7 + rounded]);
    expect_range(name(), "beta1", attributes.real("beta1"), 1);
    expect_range(name(), "beta2", attributes.real("beta2"), 1);
    expect_range(name(), "eps", attributes.real("eps"), 1);
    expect_range(name(), "weight_decay", attributes.real("weight_decay"), 1e6);
    return {inputs.begin(), inputs.begin() + 5};
  }

  int64_t panel_unit() const override { return kDynamicBlock; }

  std::vector<StoragePair> in_place(const TypedNode&) const override {
    std::vector<StoragePair> pairs;
    for (int i = 0; i < 5; ++i) pairs.push_back({.output = i, .input = i});
    return pairs;
  }

  Price price(const TypedNode& node) const override {
    const auto updated = static_cast<double>(updated_elements(node.inputs[0], node.attributes));
    // Weight and codes are read and written, the gradient is read.
    const auto bytes = static_cast<double>(2 * size_of(node.inputs[0].dtype) + 4 + sizeof(float));
    return {.flops = 40 * updated, .bytes = bytes * updated};
  }

 private:
  // Those of a panel hold its blocks, too.
  void expect_scales(const Type& got, std::string_view rule, const Type& weight, const Attributes& attributes) const {
    if (!attributes.has("first")) return expect_type(name(), rule, scales_type(weight.shape), got);
    if (got == f32({dynamic_blocks(attributes.integer("elements"))})) return;
    const int64_t last = attributes.integer("first") + attributes.integer("elements");
    expect_type(name(), rule, f32({std::max(got.shape.elements(), dynamic_blocks(last))}), got);
  }
};

}  // namespace

Type codes_type(const Shape& weight) { return u8(weight); }
Type scales_type(const Shape& weight) { return f32({dynamic_blocks(weight.elements())}); }

Adamw8bitState adamw8bit(Builder& build, const Adamw8bitState& state, ValueId gradient, ValueId scalars,
                         ValueId gradient_scale, const AdamwSettings& settings) {
  std::vector<ValueId> inputs = {state.weight, state.m, state.m_scale, state.v, state.v_scale, gradient, scalars};
  Attributes attributes = {{"beta1", settings.beta1},
                           {"beta2", settings.beta2},
                           {"eps", settings.eps},
                           {"weight_decay", settings.weight_decay}};
  draw_for_weight(build, state.weight, inputs, attributes);
  if (gradient_scale != kNoValue) inputs.push_back(gradient_scale);
  const std::vector<ValueId> next = build.node("adamw8bit", inputs, attributes, Role::optimizer_state);
  build.graph().value(next[0]).role = Role::weight;
  return {next[0], next[1], next[2], next[3], next[4]};
}

}  // namespace headroom

static const headroom::Adamw8bit adamw8bit_op;
HEADROOM_OP(adamw8bit_op);
