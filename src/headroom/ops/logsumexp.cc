#include "headroom/ops/logsumexp.h"

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class LogSumExp : public Op {
 public:
  LogSumExp() : Op("logsumexp") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 1, 1);
    expect_matrix(name(), "logits are f32[T, V]", inputs[0]);
    if (inputs[0].shape[1] < 1) throw InvalidInput("logsumexp: logits are [T, V]; expected V of 1 or more, got 0");
    return {f32({inputs[0].shape[0]})};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 20 * static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }
};

}  // namespace

ValueId logsumexp(Builder& build, ValueId logits) { return build.value("logsumexp", {logits}); }

}  // namespace headroom

static const headroom::LogSumExp logsumexp_op;
HEADROOM_OP(logsumexp_op);
