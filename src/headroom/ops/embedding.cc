// Embedding and its backward. The backward sorts the tokens by row (a counting sort in scratch), so that threads own
// rows of the table and each row's chain runs in the order of the tokens.
//   T tokens, V rows of the table, F features.
#include "headroom/ops/embedding.h"

#include <limits>

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class Embedding : public Op {
 public:
  Embedding() : Op("embedding") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 2, 2);
    expect_weight_or_blocks(name(), "table is [V, F] in a weight's format", inputs[0]);
    expect_rank(name(), "table is [V, F]", 2, inputs[0]);
    expect_dtype(name(), "ids is i32[T]", DType::i32, inputs[1]);
    expect_rank(name(), "ids is i32[T]", 1, inputs[1]);
    return {{result_dtype(name(), attributes, DType::f32), {inputs[1].shape[0], inputs[0].shape[1]}}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 0, .bytes = 2.0 * static_cast<double>(node.outputs[0].bytes() + node.inputs[1].bytes())};
  }

  bool reads_blocks(size_t input) const override { return input == 0; }

  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    if (gradients[0] == kNoValue) return {kNoValue, kNoValue};
    const int64_t rows = build.type(forward.inputs[0]).shape[0];
    return {build.value("embedding_backward", {forward.inputs[1], gradients[0]}, {{"rows", rows}, {"add", int64_t{0}}},
                        gradient_role(build, forward.inputs[0])),
            kNoValue};
  }
};

class EmbeddingBackward : public Op {
 public:
  EmbeddingBackward() : Op("embedding_backward") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    const bool add = attributes.integer("add") != 0;
    expect_inputs(name(), inputs, add ? 3 : 2, 3);
    expect_dtype(name(), "ids is i32[T]", DType::i32, inputs[0]);
    expect_rank(name(), "ids is i32[T]", 1, inputs[0]);
    expect_rows(name(), "dy is [T, F] in f32, bf16 or f16", inputs[1]);
    const int64_t features = inputs[1].shape[1];
    expect_type(name(), "dy is [T, F] where ids is [T]", {inputs[1].dtype, {inputs[0].shape[0], features}}, inputs[1]);
    const int64_t rows = attributes.integer("rows");
    if (rows < 1 || rows > std::numeric_limits<int32_t>::max()) {
      throw InvalidInput("embedding_backward: rows is the height of the table; expected 1 to 2147483647, got {}", rows);
    }
    if (inputs.size() == 3) {
      expect_type(name(), add ? "base is [rows, F]" : "sum is [rows, F]", f32({rows, features}), inputs[2]);
    }
    return {f32({rows, features})};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    if (node.inputs.size() < 3) return {};
    return {{.output = 0, .input = 2}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = static_cast<double>(node.inputs[1].shape.elements()), .bytes = bytes_touched(node)};
  }

  bool continues_sum() const override { return true; }
};

}  // namespace

ValueId embedding(Builder& build, ValueId table, ValueId ids) { return build.value("embedding", {table, ids}); }

ValueId embedding_backward(Builder& build, ValueId ids, ValueId dy, int64_t rows, ValueId sum) {
  std::vector<ValueId> inputs = {ids, dy};
  if (sum != kNoValue) inputs.push_back(sum);
  return build.value("embedding_backward", inputs, {{"rows", rows}, {"add", int64_t{0}}}, Role::gradient);
}

ValueId add_embedding_backward(Builder& build, ValueId ids, ValueId dy, ValueId base) {
  const int64_t rows = build.type(base).shape[0];
  return build.value("embedding_backward", {ids, dy, base}, {{"rows", rows}, {"add", int64_t{1}}}, Role::gradient);
}

}  // namespace headroom

static const headroom::Embedding embedding_op;
HEADROOM_OP(embedding_op);
static const headroom::EmbeddingBackward embedding_backward_op;
HEADROOM_OP(embedding_backward_op);
