#include "headroom/ops/join_columns.h"

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class JoinColumns : public Op {
 public:
  JoinColumns() : Op("join_columns") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 1, kMostColumnParts);
    int64_t columns = 0;
    for (const Type& part : inputs) {
      expect_dtype(name(), "parts are f32", DType::f32, part);
      if (part.shape.rank() != 2 || part.shape[0] != inputs[0].shape[0]) {
        throw InvalidInput("join_columns: parts have as many rows each; expected {} rows, got {}",
                           inputs[0].shape.rank() == 2 ? inputs[0].shape[0] : 0, to_string(part));
      }
      columns += part.shape[1];
    }
    return {f32({inputs[0].shape[0], columns})};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 0, .bytes = 2 * static_cast<double>(node.outputs[0].bytes())};
  }
};

}  // namespace

ValueId join_columns(Builder& build, const std::vector<ValueId>& parts) { return build.value("join_columns", parts); }

}  // namespace headroom

static const headroom::JoinColumns join_columns_op;
HEADROOM_OP(join_columns_op);
