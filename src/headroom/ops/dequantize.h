// Frozen weights out of 4 or 8 bits (backend/quantized_weights.h), for the product that reads them next.
//   O outputs, I inputs; N = O * I elements in n = ceil(N / 64) blocks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "headroom/graph/builder.h"

namespace headroom {

// A weight of `shape` as graph inputs.
struct QuantizedWeight {
  int bits = 0;
  Shape shape;
  std::vector<ValueId> parts;  // as quantized_parts() lists them
};

// What the weight NAME is kept as, with 4 bits
//   NAME.nf4 u8[ceil(N / 2)], NAME.nf4_scales u8[n], NAME.nf4_scale_blocks f32[ceil(n / 256) + 1],
// with 8 bits
//   NAME.int8 u8[N] (signed bytes), NAME.int8_scales f32[n].
struct QuantizedPart {
  std::string name;
  Type type;
};
std::vector<QuantizedPart> quantized_parts(std::string_view name, const Shape& shape, int bits);

// Declares them.
QuantizedWeight declare_quantized(Builder& build, std::string_view name, const Shape& shape, int bits);

// f32[O, I]. The op dequantize_nf4: the code's value times its block's magnitude, which is (map[scale] * scale_blocks[b
// / 256]) + the last of scale_blocks for block b. The op dequantize_int8: code * scale.
ValueId dequantize(Builder& build, const QuantizedWeight& weight);

}  // namespace headroom
