// The product of two matrices, either of them stored transposed.
//   M rows, N columns, K depth.
#include "headroom/ops/matmul.h"

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"
#include "headroom/ops/scale.h"

namespace headroom {
namespace {

bool flag(const Attributes& attributes, std::string_view key) { return attributes.integer(key) != 0; }

class Matmul : public Op {
 public:
  Matmul() : Op("matmul") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 2, 3);
    expect_rank(name(), "a is [M, K], or [K, M] when transposed", 2, inputs[0]);
    expect_factors(name(), inputs[0], inputs[1]);
    expect_rank(name(), "b is [K, N], or [N, K] when transposed", 2, inputs[1]);
    const int depth_of_a = flag(attributes, "transpose_a") ? 0 : 1;
    const int depth_of_b = flag(attributes, "transpose_b") ? 1 : 0;
    const int64_t depth = inputs[0].shape[depth_of_a];
    if (inputs[1].shape[depth_of_b] != depth) {
      throw InvalidInput("matmul: a {} and b {} have different depths; expected {} on both sides, got {}",
                         to_string(inputs[0]), to_string(inputs[1]), depth, inputs[1].shape[depth_of_b]);
    }
    const Type product = {result_dtype(name(), attributes, inputs[0].dtype),
                          {inputs[0].shape[1 - depth_of_a], inputs[1].shape[1 - depth_of_b]}};
    if (product.dtype != DType::f32)
      expect_dtype(name(), "a result of 16 bits is in a's format", product.dtype, inputs[0]);
    if (inputs.size() == 3) expect_type(name(), "sum is [M, N]", product, inputs[2]);
    return {product};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    if (node.inputs.size() < 3) return {};
    return {{.output = 0, .input = 2}};
  }

  Price price(const TypedNode& node) const override {
    const int64_t depth = node.inputs[0].shape[flag(node.attributes, "transpose_a") ? 0 : 1];
    return {.flops = 2 * static_cast<double>(node.outputs[0].shape.elements()) * static_cast<double>(depth),
            .bytes = bytes_touched(node)};
  }

  // With A and B the factors as multiplied (transposes applied): dA = dC B^T, dB = A^T dC. A gradient takes the storage
  // order of its factor, so a transposed factor gets the transposed product. That of a weight is f32, that of a sum is
  // dC.
  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    const ValueId dc = gradients[0];
    const ValueId a = forward.inputs[0];
    const ValueId b = forward.inputs[1];
    const bool transpose_a = flag(forward.attributes, "transpose_a");
    const bool transpose_b = flag(forward.attributes, "transpose_b");
    std::vector<ValueId> of_inputs(forward.inputs.size(), dc);
    of_inputs[0] = of_inputs[1] = kNoValue;
    if (build.wants_gradient(a)) {
      // Where the result was asked for in f32 beside a of 16 bits, dA is of those, too.
      const DType of_a = build.type(a).dtype;
      const ValueId rounded = of_a == build.type(dc).dtype ? dc : round_to(build, dc, of_a);
      of_inputs[0] = transpose_a ? product(build, b, rounded, transpose_b, true, a)
                                 : product(build, rounded, b, false, !transpose_b, a);
    }
    if (build.wants_gradient(b)) {
      of_inputs[1] =
          transpose_b ? product(build, dc, a, true, transpose_a, b) : product(build, a, dc, !transpose_a, false, b);
    }
    return of_inputs;
  }

  bool continues_sum() const override { return true; }
  bool reads_blocks(size_t input) const override { return input == 1; }

 private:
  static ValueId product(Builder& build, ValueId left, ValueId right, bool transpose_left, bool transpose_right,
                         ValueId factor) {
    Attributes attributes = {{"transpose_a", int64_t{transpose_left}}, {"transpose_b", int64_t{transpose_right}}};
    const Role role = gradient_role(build, factor);
    if (role == Role::gradient && build.type(left).dtype != DType::f32) {
      attributes.set("result", static_cast<int64_t>(DType::f32));
    }
    return build.value("matmul", {left, right}, attributes, role);
  }
};

}  // namespace

ValueId matmul(Builder& build, ValueId a, ValueId b, Transposes transposes, ValueId sum) {
  std::vector<ValueId> inputs = {a, b};
  if (sum != kNoValue) inputs.push_back(sum);
  return build.value("matmul", inputs,
                     {{"transpose_a", int64_t{transposes.a}}, {"transpose_b", int64_t{transposes.b}}});
}

}  // namespace headroom

static const headroom::Matmul matmul_op;
HEADROOM_OP(matmul_op);
