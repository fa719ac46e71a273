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
      expect_weight(name(), "parts are f32, bf16 or f16", part);
      expect_dtype(name(), "parts are in one format", inputs[0].dtype, part);
      if (part.shape.rank() != 2 || part.shape[0] != inputs[0].shape[0]) {
        throw InvalidInput("join_columns: parts have as many rows each; expected {} rows, got {}",
                           inputs[0].shape.rank() == 2 ? inputs[0].shape[0] : 0, to_string(part));
      }
      columns += part.shape[1];
    }
    return {{inputs[0].dtype, {inputs[0].shape[0], columns}}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 0, .bytes = 2 * static_cast<double>(node.outputs[0].bytes())};
  }

  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    std::vector<ValueId> of_parts(forward.inputs.size(), gradients[0]);
    if (gradients[0] == kNoValue) return of_parts;
    for (size_t i = 0; i + 1 < of_parts.size(); ++i) {
      const ColumnParts parts = split_columns(build, of_parts[i], build.type(forward.inputs[i]).shape[1]);
      of_parts[i] = parts.first;
      of_parts[i + 1] = parts.second;
    }
    return of_parts;
  }
};

class SplitColumns : public Op {
 public:
  SplitColumns() : Op("split_columns") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, 1);
    expect_rows(name(), "x is [S, N] in f32, bf16 or f16", inputs[0]);
    const int64_t columns = attributes.integer("columns");
    const int64_t all = inputs[0].shape[1];
    if (columns < 1 || columns >= all) {
      throw InvalidInput("{}: columns are some of x's; expected 1 to {}, got {}", name(), all - 1, columns);
    }
    return {{inputs[0].dtype, {inputs[0].shape[0], columns}}, {inputs[0].dtype, {inputs[0].shape[0], all - columns}}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 0, .bytes = 2 * static_cast<double>(node.inputs[0].bytes())};
  }

  std::vector<ValueId> gradient(Builder& build, const Node&, std::span<const ValueId> gradients) const override {
    if (gradients[0] == kNoValue && gradients[1] == kNoValue) return {kNoValue};
    ensure(gradients[0] != kNoValue && gradients[1] != kNoValue, "split_columns: both parts have a gradient");
    return {join_columns(build, {gradients[0], gradients[1]})};
  }
};

}  // namespace

ValueId join_columns(Builder& build, const std::vector<ValueId>& parts) { return build.value("join_columns", parts); }

ColumnParts split_columns(Builder& build, ValueId x, int64_t columns) {
  const std::vector<ValueId> parts = build.node("split_columns", {x}, {{"columns", columns}});
  return {parts[0], parts[1]};
}

}  // namespace headroom

static const headroom::JoinColumns join_columns_op;
HEADROOM_OP(join_columns_op);
static const headroom::SplitColumns split_columns_op;
HEADROOM_OP(split_columns_op);
