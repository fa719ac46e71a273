#include "headroom/ops/factor_gram.h"

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class FactorGram : public Op {
 public:
  FactorGram() : Op("factor_gram") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, 1);
    expect_matrix(name(), "gram is f32[K, K]", inputs[0]);
    const int64_t columns = inputs[0].shape[1];
    expect_type(name(), "gram is f32[K, K]", f32({columns, columns}), inputs[0]);
    if (!(attributes.real("damping") > 0)) {
      throw InvalidInput("factor_gram: damping {}; expected more than 0", attributes.real("damping"));
    }
    const int64_t group = attributes.integer("group");
    if (group < 1 || columns % group != 0) {
      throw InvalidInput("factor_gram: groups of {} columns; expected a divisor of {}", group, columns);
    }
    return {inputs[0], i32({columns}), f32({columns})};
  }

  std::vector<StoragePair> in_place(const TypedNode&) const override { return {{.output = 0, .input = 0}}; }

  // Of the factorisation, K^3 / 3.
  Price price(const TypedNode& node) const override {
    const auto columns = static_cast<double>(node.inputs[0].shape[0]);
    return {.flops = columns * columns * columns / 3, .bytes = bytes_touched(node)};
  }
};

}  // namespace

FactoredGram factor_gram(Builder& build, ValueId gram, double damping, int64_t group) {
  const std::vector<ValueId> outputs =
      build.node("factor_gram", {gram}, {{"damping", damping}, {"group", group}}, build.graph().value(gram).role);
  return {outputs[0], outputs[1], outputs[2]};
}

}  // namespace headroom

static const headroom::FactorGram factor_gram_op;
HEADROOM_OP(factor_gram_op);
