// Weights in floats of 8 bits (E4M3: OCP 8-bit floating point, section 5, "FN": no infinities, all ones is NaN) with an
// f32 scale for each piece: "float8_b128" for 128 x 128 elements, as DeepSeek-V3 has them, "float8_channel" for a row.
// An element is float * scale in f32, rounded once.
//
//   R rows, K elements of a row, pieces of P rows and Q elements, the last ones smaller
//   | codes      | scales                           |
//   | R K bytes  | ceil(R / P) ceil(K / Q) times f32 |    the scales begin a line of 64 bytes, a row of pieces at a
//   time
#pragma once

#include <array>
#include <cstdint>

#include "headroom/base/block_format.h"

namespace headroom {

inline constexpr int64_t kFloat8Block = 128;

class Float8Format final : public BlockFormat {
 public:
  // 0: the whole row.
  constexpr Float8Format(std::string_view name, int64_t piece_rows, int64_t piece_columns)
      : BlockFormat(name, 1), piece_rows_(piece_rows), piece_columns_(piece_columns) {}

  int64_t bytes(const Shape& shape) const override;
  void decode(const Shape& shape, const std::byte* tensor, int64_t first, int64_t count, float* out) const override;

  int64_t stack_stride(const Shape& matrix) const override;
  void finish(const Shape& shape, std::byte* tensor, std::span<const float> waiting) const override;

  int64_t piece_rows() const { return piece_rows_; }
  int64_t piece_columns(const Shape& shape) const;
  // Of a tensor, in bytes from its beginning, and how many of them are side by side.
  static int64_t scales_at(const Shape& shape);
  int64_t scale_columns(const Shape& shape) const;
  int64_t scales(const Shape& shape) const;

 private:
  int64_t piece_rows_;
  int64_t piece_columns_;
};

// What each byte is.
const std::array<float, 256>& float8_values();

const Float8Format& float8_blocks();
const Float8Format& float8_channels();

}  // namespace headroom
