#include "headroom/ops/join_partials.h"

#include "headroom/ops/expect.h"

namespace headroom {
namespace {

constexpr size_t kMostParts = 64;  // of a tree over 2^63 leaves

class JoinPartials : public Op {
 public:
  JoinPartials() : Op("join_partials") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    (void)attributes.integer("add");
    expect_inputs(name(), inputs, 2, 1 + kMostParts);
    expect_dtype(name(), "target is f32", DType::f32, inputs[0]);
    for (const Type& part : inputs.subspan(1)) expect_type(name(), "a part has target's shape", inputs[0], part);
    return {inputs[0]};
  }

  std::vector<StoragePair> in_place(const TypedNode&) const override { return {{.output = 0, .input = 0}}; }
  bool reads_input(const Node& node, size_t input) const override {
    return input > 0 || node.attributes.integer("add") != 0;
  }

  Price price(const TypedNode& node) const override {
    const auto parts = static_cast<double>(node.inputs.size() - (node.attributes.integer("add") != 0 ? 0 : 1));
    return {.flops = (parts - 1) * static_cast<double>(node.outputs[0].shape.elements()),
            .bytes = (parts + 1) * static_cast<double>(node.outputs[0].bytes())};
  }
};

}  // namespace

ValueId join_partials(Builder& build, ValueId target, const std::vector<ValueId>& parts, bool add) {
  std::vector<ValueId> inputs = {target};
  inputs.insert(inputs.end(), parts.begin(), parts.end());
  return build.value("join_partials", inputs, {{"add", int64_t{add}}}, build.graph().value(target).role);
}

}  // namespace headroom

static const headroom::JoinPartials join_partials_op;
HEADROOM_OP(join_partials_op);
