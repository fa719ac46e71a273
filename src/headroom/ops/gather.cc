#include "headroom/ops/gather.h"

#include "headroom/base/errors.h"
#include "headroom/graph/rank_attributes.h"
#include "headroom/ops/exchange_wait.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class Gather : public Op {
 public:
  Gather() : Op("gather") {}

  Lane lane() const override { return Lane::network; }
  Course course() const override { return Course::begin; }
  Transfer transfer() const override { return Transfer::gather; }

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, 2);
    const Type whole{inputs[0].dtype, whole_shape(inputs, attributes)};
    const RankParts parts = rank_parts_of(attributes, whole.shape.elements());
    expect_type(name(), "a part has room for the largest", Type{whole.dtype, {parts.room()}}, inputs[0]);
    if (inputs.size() == 2) expect_type(name(), "the target is the whole", whole, inputs[1]);
    return {whole};
  }

  std::vector<StoragePair> in_place(const TypedNode& node) const override {
    if (node.inputs.size() < 2) return {};
    return {{.output = 0, .input = 1}};
  }
  bool reads_input(const Node&, size_t input) const override { return input == 0; }

  // What this rank sends, at most.
  Price price(const TypedNode& node) const override {
    const auto others = static_cast<double>(node.attributes.integer("ranks") - 1);
    return {.flops = 0, .bytes = others * static_cast<double>(node.inputs[0].bytes())};
  }

 private:
  static Shape whole_shape(std::span<const Type> inputs, const Attributes& attributes) {
    if (inputs.size() == 2) return inputs[1].shape;
    const int64_t rows = attributes.integer("rows");
    if (!attributes.has("columns")) return Shape{rows};
    const int64_t columns = attributes.integer("columns");
    return attributes.has("matrices") ? Shape{attributes.integer("matrices"), rows, columns} : Shape{rows, columns};
  }
};

}  // namespace

Gathering begin_gather(Builder& build, ValueId part, const Shape& whole, const RankParts& parts, Role role) {
  Attributes attributes = attributes_of(parts);
  ensure(whole.rank() >= 1 && whole.rank() <= 3, "gather: a whole of {}", to_string(whole));
  if (whole.rank() == 3) attributes.set("matrices", whole[0]);
  attributes.set("rows", whole[whole.rank() == 3 ? 1 : 0]);
  if (whole.rank() >= 2) attributes.set("columns", whole[whole.rank() - 1]);
  return {part, build.value("gather", {part}, attributes, role)};
}

Gathering begin_gather_into(Builder& build, ValueId target, ValueId part, const RankParts& parts) {
  const Role role = build.graph().value(target).role;
  return {part, build.value("gather", {part, target}, attributes_of(parts), role)};
}

ValueId wait_for(Builder& build, const Gathering& gathering) {
  const Role role = build.graph().value(gathering.arriving).role;
  return build.value("gathered", {gathering.arriving, gathering.part}, {}, role);
}

}  // namespace headroom

static const headroom::Gather gather_op;
HEADROOM_OP(gather_op);
static const headroom::ExchangeWait gathered_op("gathered", headroom::Transfer::gather);
HEADROOM_OP(gathered_op);
