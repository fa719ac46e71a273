#include "headroom/ops/compress_blocks.h"

#include "headroom/backend/exchange_blocks.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"
#include "headroom/ops/random_key.h"

namespace headroom {
namespace {

static_assert(kCompressedUnit == kExchangeUnit);

int64_t bits_of_unit(std::string_view op, const Attributes& attributes) {
  const int64_t bits = attributes.integer("bits");
  if (bits != 4 && bits != 8) throw InvalidInput("{}: bits is {}; expected 4 or 8", op, bits);
  return bits;
}

int64_t compressed_bytes_of(int64_t elements, int64_t bits) {
  return multiply_sizes(exchange_units(elements), exchange_unit_bytes(bits), "compressed blocks");
}

class CompressBlocks final : public Op {
 public:
  CompressBlocks() : Op("compress_blocks") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, 2);
    expect_dtype(name(), "x is f32", DType::f32, inputs[0]);
    if (inputs.size() == 2) {
      expect_random_key(name(), inputs[1], attributes);
      const int64_t first = attributes.integer("first");
      if (first < 0 || first % 64 != 0) throw InvalidInput("{}: first is a multiple of 64, got {}", name(), first);
    }
    return {u8({compressed_bytes_of(inputs[0].shape.elements(), bits_of_unit(name(), attributes))})};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 8 * static_cast<double>(node.inputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }
};

class DecompressBlocks final : public Op {
 public:
  DecompressBlocks() : Op("decompress_blocks") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, 1);
    expect_dtype(name(), "compressed is u8", DType::u8, inputs[0]);
    const int64_t rows = attributes.integer("rows");
    const Shape shape = attributes.has("columns") ? Shape{rows, attributes.integer("columns")} : Shape{rows};
    const bool has_rows = inputs[0].shape.rank() == 2;
    const int64_t elements = has_rows ? shape[shape.rank() - 1] : shape.elements();
    const int64_t bytes = compressed_bytes_of(elements, bits_of_unit(name(), attributes));
    const Type expected = has_rows ? u8({rows, bytes}) : u8({bytes});
    expect_type(name(), "compressed is whole units of the result's elements", expected, inputs[0]);
    return {f32(shape)};
  }

  Price price(const TypedNode& node) const override {
    return {.flops = 2 * static_cast<double>(node.outputs[0].shape.elements()), .bytes = bytes_touched(node)};
  }
};

}  // namespace

int64_t compressed_unit_bytes(int64_t bits) { return exchange_unit_bytes(bits); }

ValueId compress_blocks(Builder& build, ValueId x, int64_t bits, Role role) {
  return build.value("compress_blocks", {x}, {{"bits", bits}}, role);
}

ValueId compress_blocks_at_random(Builder& build, ValueId x, int64_t bits, std::string_view name, int64_t first,
                                  Role role) {
  return build.value("compress_blocks", {x, random_key(build)},
                     {{"bits", bits}, {"site", random_site(name)}, {"first", first}}, role);
}

ValueId decompress_blocks(Builder& build, ValueId compressed, int64_t bits, const Shape& shape, Role role) {
  ensure(shape.rank() == 1 || shape.rank() == 2, "decompress_blocks: a result of {}", to_string(shape));
  Attributes attributes = {{"bits", bits}, {"rows", shape[0]}};
  if (shape.rank() == 2) attributes.set("columns", shape[1]);
  return build.value("decompress_blocks", {compressed}, attributes, role);
}

}  // namespace headroom

static const headroom::CompressBlocks compress_blocks_op;
HEADROOM_OP(compress_blocks_op);
static const headroom::DecompressBlocks decompress_blocks_op;
HEADROOM_OP(decompress_blocks_op);
