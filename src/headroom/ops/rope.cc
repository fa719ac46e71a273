// Rotary position embedding. Its gradient is the rotation back.
//   T tokens, S head size, D features of a head that are rotated, P positions of the table.
#include "headroom/ops/rope.h"

#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class Rope : public Op {
 public:
  Rope() : Op("rope") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 3, 3);
    expect_rows(name(), "x is [T, heads*S] in f32, bf16 or f16", inputs[0]);
    expect_matrix(name(), "table is f32[P, D]", inputs[2]);
    expect_type(name(), "positions is i32[T] where x is [T, heads*S]", i32({inputs[0].shape[0]}), inputs[1]);
    const int64_t heads = attributes.integer("heads");
    const int64_t rotated = inputs[2].shape[1];
    if (heads < 1 || rotated < 2 || rotated % 2 != 0 || inputs[0].shape[1] / heads < rotated ||
        inputs[0].shape[1] % heads != 0) {
      throw InvalidInput(
          "rope: x is [T, heads*S] where table is [P, D], D even and S no less; expected {} heads of {}, got {}", heads,
          rotated, to_string(inputs[0].shape));
    }
    attributes.integer("inverse");
    attributes.integer("pairs");
    return {inputs[0]};
  }

  std::vector<StoragePair> may_reuse(const TypedNode&) const override { return {{.output = 0, .input = 0}}; }

  Price price(const TypedNode& node) const override {
    return {.flops = 3 * static_cast<double>(node.inputs[0].shape.elements()),
            .bytes = 2 * static_cast<double>(node.inputs[0].bytes())};
  }

  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    if (gradients[0] == kNoValue) return {kNoValue, kNoValue, kNoValue};
    const bool inverse = forward.attributes.integer("inverse") != 0;
    const auto pairs = static_cast<RotaryPairs>(forward.attributes.integer("pairs"));
    return {rope(build, gradients[0], forward.inputs[1], forward.inputs[2], forward.attributes.integer("heads"), pairs,
                 !inverse),
            kNoValue, kNoValue};
  }
};

}  // namespace

ValueId rope(Builder& build, ValueId x, ValueId positions, ValueId table, int64_t heads, RotaryPairs pairs,
             bool inverse) {
  return build.value("rope", {x, positions, table},
                     {{"heads", heads}, {"pairs", static_cast<int64_t>(pairs)}, {"inverse", int64_t{inverse}}});
}

}  // namespace headroom

static const headroom::Rope rope_op;
HEADROOM_OP(rope_op);
