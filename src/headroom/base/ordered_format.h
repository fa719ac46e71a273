// Weights in whole numbers of 2, 3, 4 or 8 bits whose groups are of columns in any order, as GPTQ leaves them that
// takes columns in the order of their activations: "ordered4_g128" has as many scales as uint4_g128. An element is
// (code - zero) * scale in f32, those of its column's group.
//
//   N rows, K columns, G = K / group groups, b bits
//   | groups of columns | scales         | zeros     | codes           |
//   | K times u16       | N G times f16  | N G bytes | N rows, K b / 8 |    each begins a line of 64 bytes
//     codes of a row follow each other from the lowest bit of its first byte up
#pragma once

#include <cstdint>

#include "headroom/base/block_format.h"

namespace headroom {

class OrderedFormat final : public BlockFormat {
 public:
  constexpr OrderedFormat(std::string_view name, int bits, int64_t group)
      : BlockFormat(name, 1), bits_(bits), group_(group) {}

  int bits() const { return bits_; }
  int64_t group() const { return group_; }
  int64_t bytes(const Shape& shape) const override;
  void decode(const Shape& shape, const std::byte* tensor, int64_t first, int64_t count, float* out) const override;

  // Where the planes lie, in bytes from the beginning of a tensor.
  struct Planes {
    int64_t columns, groups, row_bytes;  // bytes of a row's codes
    int64_t scales_at, zeros_at, codes_at;
    int64_t bytes;
  };
  // Throws InvalidInput for rows that are no whole groups.
  Planes planes(const Shape& shape) const;

 private:
  int bits_;
  int64_t group_;
};

// Of 2, 3, 4 or 8 bits and groups of 32, 64 or 128; null for others.
const OrderedFormat* find_ordered(int bits, int64_t group);

}  // namespace headroom
