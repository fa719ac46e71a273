// A product in whole numbers.
//   T tokens, K inputs, N outputs.
#include "headroom/ops/matmul_int8.h"

#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class MatmulInt8 : public Op {
 public:
  MatmulInt8() : Op("matmul_int8") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 2, 2);
    expect_matrix(name(), "x is f32[T, K]", inputs[0]);
    expect_rank(name(), "weight is [N, K]", 2, inputs[1]);
    if (as_grouped(inputs[1].dtype) == nullptr) {
      throw InvalidInput("matmul_int8: weight is in a grouped format; got {}", to_string(inputs[1]));
    }
    (void)inputs[1].bytes();  // throws for rows that are no whole groups
    const int64_t depth = inputs[0].shape[1];
    expect_type(name(), "weight is [N, K] where x is [T, K]", {inputs[1].dtype, {inputs[1].shape[0], depth}},
                inputs[1]);
    return {f32({inputs[0].shape[0], inputs[1].shape[0]})};
  }

  Price price(const TypedNode& node) const override {
    const double depth = static_cast<double>(node.inputs[0].shape[1]);
    return {.flops = 2 * static_cast<double>(node.outputs[0].shape.elements()) * depth, .bytes = bytes_touched(node)};
  }

  bool reads_blocks(size_t input) const override { return input == 1; }
};

}  // namespace

ValueId matmul_int8(Builder& build, ValueId x, ValueId weight) { return build.value("matmul_int8", {x, weight}); }

}  // namespace headroom

static const headroom::MatmulInt8 matmul_int8_op;
HEADROOM_OP(matmul_int8_op);
