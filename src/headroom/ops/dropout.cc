// Dropout with a mask made from counters. Its gradient is the same mask on dy.
//   T tokens, F features.
#include "headroom/ops/dropout.h"

#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"
#include "headroom/ops/random_key.h"

namespace headroom {
namespace {

class Dropout : public Op {
 public:
  Dropout() : Op("dropout") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 3, 3);
    expect_matrix(name(), "x is f32[T, F]", inputs[0]);
    expect_random_key(name(), inputs[1], attributes);
    expect_type(name(), "rows is i32[2]", i32({2}), inputs[2]);
    const double rate = attributes.real("rate");
    if (!(rate >= 0 && rate < 1)) throw InvalidInput("dropout: rate is a share; expected 0 <= rate < 1, got {}", rate);
    if (!std::isfinite(attributes.real("factor"))) throw InvalidInput("dropout: factor is no number");
    return {inputs[0]};
  }

  std::vector<StoragePair> may_reuse(const TypedNode&) const override { return {{.output = 0, .input = 0}}; }

  // Ten rounds of the generator make four words.
  Price price(const TypedNode& node) const override {
    return {.flops = 20 * static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }

  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    if (!build.wants_gradient(forward.inputs[0])) return std::vector<ValueId>(3, kNoValue);
    return {build.value("dropout", {gradients[0], forward.inputs[1], forward.inputs[2]}, forward.attributes), kNoValue,
            kNoValue};
  }
};

}  // namespace

ValueId dropout(Builder& build, ValueId x, ValueId random_key, ValueId rows, const DropoutSettings& settings) {
  return build.value("dropout", {x, random_key, rows},
                     {{"rate", settings.rate}, {"factor", settings.factor}, {"site", settings.site}});
}

}  // namespace headroom

static const headroom::Dropout dropout_op;
HEADROOM_OP(dropout_op);
