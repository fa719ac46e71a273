// Weights in whole numbers of 2, 3, 4 or 8 bits, a scale for each group of elements along a row: the formats that
// models run in. "int4_g128": 4 bits, groups of 128, symmetric; "uint4_g128": beside each scale a zero point;
// "int8_channel": one group a row. They lie as kernels read them, in memory as in files, whatever the instruction set:
// docs/weight_formats.md draws it.
//   N rows, K elements of a row, G of a group, b bits
//
//   16 rows side by side are a panel:   | codes      | scales             | zeros             | to a line of 64 bytes
//                                         2 b K bytes  32 K / G, f16        16 K / G, uint only
//   panels follow each other:           | panel 0 | panel 1 | ... | to a page of 4096 bytes
//
//   A line of codes, b = 8:   row 0: k k+1 k+2 k+3 | row 1: k .. k+3 | ... | row 15      one byte each
//                    b = 4:   the same; a byte holds k in its low half and k+4 in its high half
//                    b = 2:   ... k, k+4, k+8, k+12 from the lowest bits up
//                    b = 3:   all lines of the two low bits, then those of the third: a byte holds k, k+4, ... k+28
//   Scales and zeros: 16 of the first group, one a row, then 16 of the second, ...
//
// An element is (code - zero) * scale, in f32: the difference is exact, the product rounded once. Of int formats zero
// is 2^(b-1). A row that fills up the last panel has scales and codes 0.
//
// Encoded, int: scale = -m / 2^(b-1), m the group's element of the largest magnitude (the first of several), so that m
// has the code 0. uint: from low = min(0, smallest) to high = max(0, largest), scale = (high - low) / (2^b - 1). The
// scale is rounded to f16, to nearest even. zero = -low / scale, code = x / scale + zero, each quotient in f32 rounded
// to nearest even, and cut to [0, 2^b - 1]. Where the scale is 0, all codes are zero's.
#pragma once

#include <array>
#include <cstdint>

#include "headroom/base/block_format.h"

namespace headroom {

inline constexpr int64_t kPanelRows = 16;
inline constexpr int64_t kLineBytes = 64;

struct GroupedLayout;

class GroupedFormat final : public BlockFormat {
 public:
  // `group` elements, or 0: the whole row.
  constexpr GroupedFormat(std::string_view name, int bits, bool has_zeros, int64_t group)
      : BlockFormat(name, group), bits_(bits), has_zeros_(has_zeros), group_(group) {}

  int bits() const { return bits_; }
  bool has_zeros() const { return has_zeros_; }
  int64_t group() const { return group_; }

  int64_t bytes(const Shape& shape) const override;
  void decode(const Shape& shape, const std::byte* tensor, int64_t first, int64_t count, float* out) const override;
  int64_t encode(const Shape& shape, int64_t first, std::span<const float> elements, std::byte* tensor,
                 std::span<float> waiting) const override;
  void finish(const Shape& shape, std::byte* tensor, std::span<const float> waiting) const override;
  int64_t block_elements(const Shape& shape) const override;
  int64_t find_bad_scale(const Shape& shape, const std::byte* tensor) const override;
  int64_t stack_stride(const Shape& matrix) const override;

  // Elements of a group from number `first` on, a multiple of 32, by their codes as they are stored, the bits of its
  // scale, as they are, and its zero (of an int format 2^(b-1)). In any order, on any threads; then finish().
  void put_group(const GroupedLayout& layout, int64_t first, std::span<const uint8_t> codes, uint16_t scale_bits,
                 uint8_t zero, std::byte* tensor) const;

  // The same the other way: a group's codes as they are stored, into `codes`, and what they mean.
  struct Group {
    uint16_t scale_bits;
    uint8_t zero;
  };
  Group take_group(const GroupedLayout& layout, int64_t first, const std::byte* tensor, std::span<uint8_t> codes) const;

  // Element k of a row: what the scale is multiplied by, and the scale.
  struct Element {
    int code;  // less the zero
    float scale;
  };
  Element element(const Shape& shape, const std::byte* tensor, int64_t row, int64_t k) const;

 private:
  int bits_;
  bool has_zeros_;
  int64_t group_;
};

// The format as a grouped one, or null.
const GroupedFormat* as_grouped(DType dtype);
// "int4_g128", "uint8_channel": the one of these properties, or null where there is none.
const GroupedFormat* find_grouped(int bits, bool has_zeros, int64_t group);

// Where things lie in a tensor of a grouped format, in bytes.
struct GroupedLayout {
  // Throws InvalidInput for rows that are no whole groups.
  GroupedLayout(const GroupedFormat& format, const Shape& shape);

  int64_t panel_bytes() const { return panel_bytes_; }
  int64_t scales_at() const { return 2 * bits * columns; }  // of a panel
  int64_t zeros_at() const { return scales_at() + 2 * kPanelRows * groups; }

  int bits;
  bool has_zeros;
  int64_t rows, columns;
  int64_t group;   // elements
  int64_t groups;  // of a row
  int64_t panels;
  // Where products round the other factor to 8 bits, they do it by groups of so many elements: the weight's own, or
  // within rows that are one group the largest of 128, 64 and 32 that divides them.
  int64_t factor_group;

 private:
  int64_t panel_bytes_;
};

// Bytes of a panel that stand together in a narrower one, too.
struct PanelRun {
  int64_t from, to;  // in the one and in the other
  int64_t bytes;
};
struct PanelRuns {
  std::array<PanelRun, 4> all;
  size_t count;
};
// What makes columns [first, first + part.columns) of a panel of `whole` a panel of `part`, a tensor of 16 rows in the
// same format: whole groups, or where rows are one group a multiple of 32 columns.
PanelRuns columns_of_panel(const GroupedLayout& whole, const GroupedLayout& part, int64_t first);

// The row of the first scale of the tensor that is NaN or infinite, in the order of its bytes; -1: there is none.
int64_t find_bad_scale(const GroupedLayout& layout, const std::byte* tensor);

}  // namespace headroom
