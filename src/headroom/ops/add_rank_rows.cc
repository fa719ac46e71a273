#include "headroom/ops/add_rank_rows.h"

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class AddRankRows : public Op {
 public:
  AddRankRows() : Op("add_rank_rows") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, 2);
    expect_matrix(name(), "rows is f32[D, p]", inputs[0]);
    const Type sum = inputs.size() == 2 ? inputs[1] : f32({attributes.integer("elements")});
    expect_dtype(name(), "target is f32", DType::f32, sum);
    const int64_t first = attributes.integer("first");
    if (first < 0 || first > sum.shape.elements() - inputs[0].shape[1]) {
      throw InvalidInput("add_rank_rows: the panel lies within {}; got {} elements from {}", to_string(sum),
                         inputs[0].shape[1], first);
    }
    return {sum};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    if (node.inputs.size() < 2) return {};
    return {{.output = 0, .input = 1}};
  }

  Price price(const TypedNode& node) const override {
    const auto elements = static_cast<double>(node.inputs[0].shape.elements());
    const auto columns = static_cast<double>(node.inputs[0].shape[1]);
    return {.flops = elements - columns, .bytes = 4 * (elements + columns)};
  }
};

}  // namespace

ValueId add_rank_rows(Builder& build, ValueId rows, int64_t first, int64_t elements) {
  return build.value("add_rank_rows", {rows}, {{"first", first}, {"elements", elements}}, Role::gradient);
}

ValueId add_rank_rows_into(Builder& build, ValueId target, ValueId rows, int64_t first) {
  return build.value("add_rank_rows", {rows, target}, {{"first", first}}, build.graph().value(target).role);
}

}  // namespace headroom

static const headroom::AddRankRows add_rank_rows_op;
HEADROOM_OP(add_rank_rows_op);
