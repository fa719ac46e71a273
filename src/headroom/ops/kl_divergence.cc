#include "headroom/ops/kl_divergence.h"

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class KlDivergence : public Op {
 public:
  KlDivergence() : Op("kl_divergence") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 4, 4);
    expect_matrix(name(), "reference is f32[T, V]", inputs[0]);
    if (inputs[0].shape[1] < 1)
      throw InvalidInput("kl_divergence: reference is [T, V]; expected V of 1 or more, got 0");
    const Type row = f32({inputs[0].shape[0]});
    expect_type(name(), "reference_lse is f32[T] where reference is [T, V]", row, inputs[1]);
    expect_type(name(), "logits are f32[T, V] where reference is [T, V]", inputs[0], inputs[2]);
    expect_type(name(), "lse is f32[T] where reference is [T, V]", row, inputs[3]);
    return {row};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 24 * static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }
};

}  // namespace

ValueId kl_divergence(Builder& build, ValueId reference, ValueId reference_lse, ValueId logits, ValueId lse) {
  return build.value("kl_divergence", {reference, reference_lse, logits, lse});
}

}  // namespace headroom

static const headroom::KlDivergence kl_divergence_op;
HEADROOM_OP(kl_divergence_op);
