// Keys and values of a KV cache in 32, 16, 8 or 4 bits: the formats that a cache is written in row by row and read in
// by attention. docs/weight_formats.md draws them.
//   C rows (tokens), F elements of a row, in groups of G; b bits
//
// 16 rows side by side are a panel, in it group follows group:
//
//   | codes       | scales       | lows         |     whole lines of 64 bytes
//     2 b G bytes   16 times f16   16 times f16        q8 and q4 alone
//
//   Of keys a step of 16 bytes (b = 16: 32, b = 32: 64) is one element, or two (b = 4: the first in the low half of the
//   byte), of all 16 rows. Of values the G b / 8 bytes of a row stand together; b = 4: byte i holds i in its low half
//   and i + G / 2 in its high half.
//
// Of f32, bf16 and f16 there are neither scales nor lows; an element is rounded to nearest even. Of fewer an
// element is fma(code, scale, low). A row is encoded alone, so that its bytes depend on no other row: low is the
// group's smallest element and scale max(largest - low, 0) / (2^b - 1), each rounded to f16, to nearest even; code is
// (x - low) / scale in f32, rounded to nearest even and cut to [0, 2^b - 1], 0 where scale is 0. A group with an
// element that is no finite number, or with a low or a scale beyond f16, is NaN. Zeros are +0.
#pragma once

#include <cstdint>

#include "headroom/base/block_format.h"

namespace headroom {

inline constexpr int64_t kCachePanelRows = 16;

// What a group's codes mean, as bits of f16.
struct CacheGrid {
  // Of a group by its smallest and largest element.
  CacheGrid(float smallest, float largest, int bits);

  bool is_nan() const;
  uint16_t scale_bits;
  uint16_t low_bits;
};

class CacheFormat final : public BlockFormat {
 public:
  enum class Order : uint8_t { keys, values };

  // `element`: f32, bf16 or f16; of fewer bits u8.
  constexpr CacheFormat(std::string_view name, Order order, int bits, int64_t group, DType element = DType::u8)
      : BlockFormat(name, group), order_(order), bits_(bits), element_(element), group_(group) {}

  Order order() const { return order_; }
  int bits() const { return bits_; }
  DType element() const { return element_; }
  int64_t group() const { return group_; }

  int64_t bytes(const Shape& shape) const override;
  void decode(const Shape& shape, const std::byte* tensor, int64_t first, int64_t count, float* out) const override;
  int64_t encode(const Shape& shape, int64_t first, std::span<const float> elements, std::byte* tensor,
                 std::span<float> waiting) const override;

 private:
  Order order_;
  int bits_;
  DType element_;
  int64_t group_;
};

// The format as one of a cache, or null.
const CacheFormat* as_cache_format(DType dtype);
// In that order and those bits (of 16 and more with that element), with the largest groups that divide heads of
// `head_size` elements; null where there are none.
const CacheFormat* find_cache_format(CacheFormat::Order order, int bits, int64_t head_size, DType element = DType::u8);

// Where things lie in a cache [C, F] of that format, in bytes.
struct CacheLayout {
  // Throws InvalidInput for rows that are no whole groups.
  CacheLayout(const CacheFormat& format, const Shape& shape);

  // Of a group of 16 rows: codes, scales, lows.
  int64_t scales_at() const { return 2 * bits * group; }
  int64_t lows_at() const { return scales_at() + 2 * kCachePanelRows; }
  int64_t group_bytes() const { return scales_at() + (is_scaled() ? 4 * kCachePanelRows : 0); }
  bool is_scaled() const { return bits < 16; }

  CacheFormat::Order order;
  int bits;
  DType element;
  int64_t group;
  int64_t groups;  // of a row
  int64_t panel_bytes;
};

}  // namespace headroom
