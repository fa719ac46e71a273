// Rows of a mixture of experts: how they are grouped, and what becomes of them.
//   T tokens, K experts of each, R = T K rows, E experts, F features
#include "headroom/ops/expert_rows.h"

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"
#include "headroom/ops/route.h"

namespace headroom {
namespace {

class GroupRows : public Op {
 public:
  GroupRows() : Op("group_rows") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, 1);
    expect_dtype(name(), "choice is i32[T, K]", DType::i32, inputs[0]);
    expect_rank(name(), "choice is i32[T, K]", 2, inputs[0]);
    const int64_t experts = attributes.integer("experts");
    if (experts < 1 || experts > kMostExperts) {
      throw InvalidInput("{}: experts is E; expected 1 to {}, got {}", name(), kMostExperts, experts);
    }
    return {i32({inputs[0].shape.elements()}), inputs[0], i32({experts + 1})};
  }
};

// y [R, F], places i32[T, K]: what both directions read.
void expect_rows_of_tokens(std::string_view op, const Type& y, const Type& places) {
  expect_rows(op, "y is [R, F] in f32, bf16 or f16", y);
  expect_rank(op, "places is i32[T, K]", 2, places);
  expect_dtype(op, "places is i32[T, K]", DType::i32, places);
  expect_type(op, "y is [R, F] where places is [T, K]", {y.dtype, {places.shape.elements(), y.shape[1]}}, y);
}

class CombineRows : public Op {
 public:
  CombineRows() : Op("combine_rows") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 2, 3);
    expect_rows_of_tokens(name(), inputs[0], inputs[1]);
    if (inputs.size() == 3) expect_type(name(), "weights is f32[T, K]", f32(inputs[1].shape), inputs[2]);
    return {{inputs[0].dtype, {inputs[1].shape[0], inputs[0].shape[1]}}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 2 * static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }

  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    std::vector<ValueId> of_inputs(forward.inputs.size(), kNoValue);
    if (gradients[0] == kNoValue) return of_inputs;
    ensure(forward.inputs.size() == 3, "combine_rows: without weights it has no gradient");
    const std::vector<ValueId> outputs =
        build.node("combine_rows_backward", {forward.inputs[0], forward.inputs[1], forward.inputs[2], gradients[0]});
    of_inputs[0] = outputs[0];
    of_inputs[2] = outputs[1];
    return of_inputs;
  }
};

// y [R, F], places, weights f32[T, K] and dout [T, F] -> dy [R, F] = weight * dout, and the gradient of the weights
// f32[T, K], 16-lane sums of dout * y.
class CombineRowsBackward : public Op {
 public:
  CombineRowsBackward() : Op("combine_rows_backward") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 4, 4);
    expect_rows_of_tokens(name(), inputs[0], inputs[1]);
    expect_type(name(), "weights is f32[T, K]", f32(inputs[1].shape), inputs[2]);
    expect_type(name(), "dout is [T, F]", {inputs[0].dtype, {inputs[1].shape[0], inputs[0].shape[1]}}, inputs[3]);
    return {inputs[0], inputs[2]};
  }

  std::vector<StoragePair> may_reuse(const TypedNode&) const override { return {{.output = 0, .input = 0}}; }

  Price price(const TypedNode& node) const override {
    return {.flops = 3 * static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }
};

}  // namespace

ExpertRows group_rows(Builder& build, ValueId choice, int64_t experts) {
  const std::vector<ValueId> outputs = build.node("group_rows", {choice}, {{"experts", experts}});
  return {outputs[0], outputs[1], outputs[2]};
}

ValueId combine_rows(Builder& build, ValueId y, ValueId places, ValueId weights) {
  std::vector<ValueId> inputs = {y, places};
  if (weights != kNoValue) inputs.push_back(weights);
  return build.value("combine_rows", inputs);
}

}  // namespace headroom

static const headroom::GroupRows group_rows_op;
HEADROOM_OP(group_rows_op);
static const headroom::CombineRows combine_rows_op;
HEADROOM_OP(combine_rows_op);
static const headroom::CombineRowsBackward combine_rows_backward_op;
HEADROOM_OP(combine_rows_backward_op);
