// The product of two matrices, either of them stored transposed.
//   M rows, N columns, K depth.
#include "headroom/ops/matmul.h"

#include "headroom/backend/matmul_blocks.h"
#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

bool flag(const Attributes& attributes, std::string_view key) { return attributes.integer(key) != 0; }

class Matmul : public Op {
 public:
  Matmul() : Op("matmul") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 2, 3);
    expect_matrix(name(), "a is f32[M, K], or [K, M] when transposed", inputs[0]);
    expect_weight(name(), "b is a matrix in a weight's format", inputs[1]);
    expect_rank(name(), "b is [K, N], or [N, K] when transposed", 2, inputs[1]);
    const int depth_of_a = flag(attributes, "transpose_a") ? 0 : 1;
    const int depth_of_b = flag(attributes, "transpose_b") ? 1 : 0;
    const int64_t depth = inputs[0].shape[depth_of_a];
    if (inputs[1].shape[depth_of_b] != depth) {
      throw InvalidInput("matmul: a {} and b {} have different depths; expected {} on both sides, got {}",
                         to_string(inputs[0]), to_string(inputs[1]), depth, inputs[1].shape[depth_of_b]);
    }
    const Type product = f32({inputs[0].shape[1 - depth_of_a], inputs[1].shape[1 - depth_of_b]});
    if (inputs.size() == 3) expect_type(name(), "sum is [M, N]", product, inputs[2]);
    return {product};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    if (node.inputs.size() < 3) return {};
    return {{.output = 0, .input = 2}};
  }

  int64_t scratch_bytes(const TypedNode&, int threads) const override { return product_scratch_bytes(threads); }

  Price price(const TypedNode& node) const override {
    const int64_t depth = node.inputs[0].shape[flag(node.attributes, "transpose_a") ? 0 : 1];
    return {.flops = 2 * static_cast<double>(node.outputs[0].shape.elements()) * static_cast<double>(depth),
            .bytes = bytes_touched(node)};
  }

  // With A and B the factors as multiplied (transposes applied): dA = dC B^T, dB = A^T dC. A gradient takes the storage
  // order of its factor, so a transposed factor gets the transposed product. Of the factors only f32 ones have
  // gradients; that of a sum is dC.
  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    const ValueId dc = gradients[0];
    const ValueId a = forward.inputs[0];
    const ValueId b = forward.inputs[1];
    const bool transpose_a = flag(forward.attributes, "transpose_a");
    const bool transpose_b = flag(forward.attributes, "transpose_b");
    const bool is_f32 = build.type(b).dtype == DType::f32;
    std::vector<ValueId> of_inputs(forward.inputs.size(), dc);
    of_inputs[0] = of_inputs[1] = kNoValue;
    if (build.wants_gradient(a)) {
      ensure(!transpose_a || is_f32, "matmul: a transposed left factor has a gradient only where b is f32");
      of_inputs[0] =
          transpose_a ? product(build, b, dc, transpose_b, true, a) : product(build, dc, b, false, !transpose_b, a);
    }
    if (is_f32 && build.wants_gradient(b)) {
      of_inputs[1] =
          transpose_b ? product(build, dc, a, true, transpose_a, b) : product(build, a, dc, !transpose_a, false, b);
    }
    return of_inputs;
  }

  bool continues_sum() const override { return true; }

 private:
  static ValueId product(Builder& build, ValueId left, ValueId right, bool transpose_left, bool transpose_right,
                         ValueId factor) {
    return build.value("matmul", {left, right},
                       {{"transpose_a", int64_t{transpose_left}}, {"transpose_b", int64_t{transpose_right}}},
                       gradient_role(build, factor));
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
