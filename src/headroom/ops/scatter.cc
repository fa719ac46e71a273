#include "headroom/ops/scatter.h"

#include "headroom/base/errors.h"
#include "headroom/graph/rank_attributes.h"
#include "headroom/ops/exchange_wait.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class Scatter : public Op {
 public:
  Scatter() : Op("scatter") {}

  Lane lane() const override { return Lane::network; }
  Course course() const override { return Course::begin; }
  Transfer transfer() const override { return Transfer::scatter; }

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, 1);
    if (inputs[0].dtype != DType::u8) expect_dtype(name(), "the whole is f32 or u8", DType::f32, inputs[0]);
    const RankParts parts = rank_parts_of(attributes, inputs[0].shape.elements());
    const int64_t first = attributes.integer("first");
    const int64_t elements = attributes.integer("elements");
    if (first < 0 || elements < 1 || elements > parts.room() || first > parts.room() - elements) {
      throw InvalidInput("scatter: the panel lies within a part of {} elements; got {} from {}", parts.room(), elements,
                         first);
    }
    return {{inputs[0].dtype, {parts.ranks, elements}}};
  }

  // What this rank sends, at most.
  Price price(const TypedNode& node) const override {
    const auto others = static_cast<double>(node.attributes.integer("ranks") - 1);
    const auto elements = static_cast<double>(node.attributes.integer("elements"));
    return {.flops = 0, .bytes = others * static_cast<double>(size_of(node.inputs[0].dtype)) * elements};
  }
};

}  // namespace

Scattering begin_scatter(Builder& build, ValueId whole, const RankParts& parts, int64_t first, int64_t elements) {
  Attributes attributes = attributes_of(parts);
  attributes.set("first", first);
  attributes.set("elements", elements);
  return {whole, build.value("scatter", {whole}, attributes, Role::gradient)};
}

ValueId wait_for(Builder& build, const Scattering& scattering) {
  return build.value("scattered", {scattering.arriving, scattering.whole}, {}, Role::gradient);
}

}  // namespace headroom

static const headroom::Scatter scatter_op;
HEADROOM_OP(scatter_op);
static const headroom::ExchangeWait scattered_op("scattered", headroom::Transfer::scatter);
HEADROOM_OP(scattered_op);
