// Random weights in a block format, and what they decode to.
#pragma once

#include <string_view>
#include <vector>

#include "headroom/base/block_format.h"
#include "headroom/base/convert.h"
#include "headroom/base/float8_blocks.h"
#include "headroom/base/ordered_format.h"
#include "tests/backend/kernel_runner.h"

namespace headroom::testing {

struct Weight {
  Array blocks;
  Array decoded;
};

// Of formats that are only read: random codes, and what they need beside them.
inline void fill_planes(const BlockFormat& format, const Array& blocks, Random& random) {
  const Shape& shape = blocks.type().shape;
  auto* bytes = blocks.as<uint8_t>();
  for (int64_t i = 0; i < blocks.type().bytes(); ++i) bytes[i] = static_cast<uint8_t>(random.integer(0, 126));
  if (const auto* floats = dynamic_cast<const Float8Format*>(&format)) {
    auto* scales = reinterpret_cast<float*>(bytes + Float8Format::scales_at(shape));
    for (int64_t i = 0; i < floats->scales(shape); ++i) scales[i] = static_cast<float>(random.uniform(-1, 1));
    return;
  }
  const auto planes = dynamic_cast<const OrderedFormat&>(format).planes(shape);
  auto* groups = reinterpret_cast<uint16_t*>(bytes);
  for (int64_t k = 0; k < planes.columns; ++k) groups[k] = static_cast<uint16_t>(random.integer(0, planes.groups - 1));
  auto* scales = reinterpret_cast<uint16_t*>(bytes + planes.scales_at);
  for (int64_t i = 0; i < shape[0] * planes.groups; ++i)
    scales[i] = f32_to_f16(static_cast<float>(random.uniform(-1, 1)));
}

inline Weight weight_of(std::string_view name, const Shape& shape, Random& random) {
  const BlockFormat& format = *find_block_format(name);
  Weight weight = {Array(Type{format.dtype(), shape}), Array(f32(shape))};
  if (format.has_rows()) {
    weight.blocks = random_blocks(name, shape, random);
  } else if (name.starts_with("float8") || name.starts_with("ordered")) {
    fill_planes(format, weight.blocks, random);
  } else {
    const Array values = random.array(f32(shape));
    std::vector<float> waiting(static_cast<size_t>(format.waiting_floats(shape)));
    auto* tensor = weight.blocks.as<std::byte>();
    format.encode(shape, 0, {values.as<float>(), static_cast<size_t>(values.elements())}, tensor, waiting);
    format.finish(shape, tensor, waiting);
  }
  format.decode(shape, weight.blocks.as<std::byte>(), 0, shape.elements(), weight.decoded.as<float>());
  return weight;
}

}  // namespace headroom::testing
