#include "headroom/ops/take_part.h"

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class TakePart : public Op {
 public:
  TakePart() : Op("take_part") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, 1);
    const int64_t first = attributes.integer("first");
    const int64_t elements = attributes.integer("elements");
    const int64_t room = attributes.integer("room");
    const int64_t whole = inputs[0].shape.elements();
    if (first < 0 || elements < 0 || elements > room || first > whole || elements > whole - first) {
      throw InvalidInput("take_part: the part lies within {} and fits its room of {}; got {} elements from {}",
                         to_string(inputs[0]), room, elements, first);
    }
    return {{inputs[0].dtype, {room}}};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 0, .bytes = 2 * static_cast<double>(node.outputs[0].bytes())};
  }
};

}  // namespace

ValueId take_part(Builder& build, ValueId whole, const RankParts& parts, int64_t rank) {
  return build.value("take_part", {whole},
                     {{"first", parts.first(rank)}, {"elements", parts.held(rank)}, {"room", parts.room()}},
                     build.graph().value(whole).role);
}

}  // namespace headroom

static const headroom::TakePart take_part_op;
HEADROOM_OP(take_part_op);
