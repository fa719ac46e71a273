// Activations in fewer bits, and back.
#include "headroom/ops/compress.h"

#include "headroom/backend/activation_blocks.h"
#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"
#include "headroom/ops/random_key.h"

namespace headroom {
namespace {

int64_t bits_of(std::string_view op, const Attributes& attributes) {
  const int64_t bits = attributes.integer("bits");
  if (bits != 4 && bits != 8 && bits != 16) throw InvalidInput("{}: bits is {}; expected 4, 8 or 16", op, bits);
  return bits;
}

class Compress : public Op {
 public:
  Compress() : Op("compress") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    const int64_t bits = bits_of(name(), attributes);
    const size_t operands = bits == 16 ? 1 : 3;
    expect_inputs(name(), inputs, operands, operands);
    expect_matrix(name(), "x is f32[T, F]", inputs[0]);
    if (bits != 16) {
      expect_random_key(name(), inputs[1], attributes);
      expect_type(name(), "rows is i32[2]", i32({2}), inputs[2]);
    }
    return compressed_types(inputs[0], bits);
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 8 * static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }
};

class Decompress : public Op {
 public:
  Decompress() : Op("decompress") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    const int64_t bits = bits_of(name(), attributes);
    const size_t operands = bits == 16 ? 1 : 2;
    expect_inputs(name(), inputs, operands, operands);
    expect_rank(name(), "codes have T rows", 2, inputs[0]);
    const Type x = f32({inputs[0].shape[0], attributes.integer("features")});
    const std::vector<Type> expected = compressed_types(x, bits);
    expect_type(name(), "codes are of T rows and F features", expected[0], inputs[0]);
    if (bits != 16) expect_type(name(), "scales are one a block of 128", expected[1], inputs[1]);
    return {x};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 2 * static_cast<double>(node.outputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }
};

}  // namespace

std::vector<Type> compressed_types(const Type& x, int64_t bits) {
  if (bits == 16) return {{DType::bf16, x.shape}};
  const int64_t rows = x.shape[0];
  const int64_t features = x.shape[1];
  return {u8({rows, activation_row_bytes(features, bits)}), {DType::bf16, {rows, activation_blocks(features)}}};
}

std::vector<ValueId> compress(Builder& build, ValueId x, int64_t bits, ValueId rows) {
  std::vector<ValueId> inputs = {x};
  Attributes attributes = {{"bits", bits}};
  if (bits != 16) {
    inputs.insert(inputs.end(), {random_key(build), rows});
    attributes.set("site", random_site(build.graph().value(x).name));
  }
  return build.node("compress", inputs, attributes);
}

ValueId decompress(Builder& build, const std::vector<ValueId>& compressed, int64_t bits, int64_t features) {
  return build.value("decompress", compressed, {{"bits", bits}, {"features", features}});
}

}  // namespace headroom

static const headroom::Compress compress_op;
HEADROOM_OP(compress_op);
static const headroom::Decompress decompress_op;
HEADROOM_OP(decompress_op);
