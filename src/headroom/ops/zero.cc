// Zeroing in place.
#include "headroom/ops/zero.h"

#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class Zero : public Op {
 public:
  Zero() : Op("zero") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 1, 1);
    return {inputs[0]};
  }

  std::vector<StoragePair> in_place(const TypedNode&) const override { return {{.output = 0, .input = 0}}; }
  bool reads_input(const Node&, size_t) const override { return false; }

  Price price(const TypedNode& node) const override {
    return {.flops = 0, .bytes = static_cast<double>(node.outputs[0].bytes())};
  }
};

}  // namespace

ValueId zero(Builder& build, ValueId x) { return build.value("zero", {x}, {}, build.graph().value(x).role); }

}  // namespace headroom

static const headroom::Zero zero_op;
HEADROOM_OP(zero_op);
