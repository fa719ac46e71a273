// Without a gradient: what is quantised is not trained.
#include "headroom/ops/dequantize.h"

#include "headroom/backend/quantized_weights.h"
#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class Dequantize : public Op {
 public:
  Dequantize(std::string_view name, int bits) : Op(name), bits_(bits) {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    const Shape shape = {attributes.integer("rows"), attributes.integer("columns")};
    const std::vector<QuantizedPart> parts = quantized_parts("weight", shape, bits_);
    expect_inputs(name(), inputs, parts.size(), parts.size());
    for (size_t i = 0; i < parts.size(); ++i) {
      expect_type(name(), fmt::format("{} is that of {}", parts[i].name, headroom::to_string(shape)), parts[i].type,
                  inputs[i]);
    }
    return {f32(shape)};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = static_cast<double>(node.outputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }

 private:
  int bits_;
};

}  // namespace

std::vector<QuantizedPart> quantized_parts(std::string_view name, const Shape& shape, int bits) {
  const int64_t elements = shape.elements();
  const int64_t blocks = quantized_blocks(elements);
  if (bits == 4) {
    return {{fmt::format("{}.nf4", name), u8({(elements + 1) / 2})},
            {fmt::format("{}.nf4_scales", name), u8({blocks})},
            {fmt::format("{}.nf4_scale_blocks", name), f32({scale_blocks(elements) + 1})}};
  }
  ensure(bits == 8, "a weight of {} bits", bits);
  return {{fmt::format("{}.int8", name), u8({elements})}, {fmt::format("{}.int8_scales", name), f32({blocks})}};
}

QuantizedWeight declare_quantized(Builder& build, std::string_view name, const Shape& shape, int bits) {
  QuantizedWeight weight{bits, shape, {}};
  for (const QuantizedPart& part : quantized_parts(name, shape, bits)) {
    weight.parts.push_back(build.input(part.name, part.type, Role::weight));
  }
  return weight;
}

ValueId dequantize(Builder& build, const QuantizedWeight& weight) {
  return build.value(weight.bits == 4 ? "dequantize_nf4" : "dequantize_int8", weight.parts,
                     {{"rows", weight.shape[0]}, {"columns", weight.shape[1]}});
}

}  // namespace headroom

static const headroom::Dequantize dequantize_nf4_op("dequantize_nf4", 4);
HEADROOM_OP(dequantize_nf4_op);
static const headroom::Dequantize dequantize_int8_op("dequantize_int8", 8);
HEADROOM_OP(dequantize_int8_op);
