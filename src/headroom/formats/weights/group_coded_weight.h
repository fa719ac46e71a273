// Weights whose elements are (code - zero) * scale in f32, for groups of columns of a row: those of GPTQ, AWQ and
// compressed-tensors. The difference is exact; so is the product where the scale is f16.
#pragma once

#include <optional>

#include "headroom/formats/weights/coded_weight.h"
#include "headroom/formats/weights/scale_grid.h"

namespace headroom {

class GroupedFormat;
class OrderedFormat;

struct GroupCodes {
  PackedCodes codes;  // of the matrix [rows, columns], or where `transposed` [columns, rows]
  bool transposed = false;
  ScaleGrid scales;
  std::optional<PackedCodes> zeros;  // [rows, groups], or where `zeros_transposed` [groups, rows]; none: 2^(bits - 1)
  bool zeros_transposed = false;
  bool zeros_less_one = false;  // stored, modulo 2^bits
  bool is_symmetric = false;    // zeros are there, and all 2^(bits - 1), whatever version they are stored by
  std::optional<WeightTensor> groups_of_columns;  // where these are not the group's number of columns one by one
};

class GroupCodedWeight final : public CodedWeight {
 public:
  // `kind`: "GPTQ". Throws InvalidInput for groups of columns that are none.
  GroupCodedWeight(const Shape& shape, std::string_view kind, GroupCodes parts);

  const WeightTensor& codes() const override { return parts_.codes.words(); }
  int64_t size_bytes() const override;
  bool is_read_by_columns() const override;
  void decode(const Tile& tile, float* out, int64_t stride) const override;
  // Of scales in f16 or bf16: where groups are whole multiples of 32 columns side by side a grouped format; where their
  // columns are in any order, 32, 64 or 128 a group, that of ordered columns. Filling throws InvalidInput for a bf16
  // scale that f16 does not hold.
  const BlockFormat* exact_format() const override;
  void fill(std::byte* out, StackPlace place) const override;

 private:
  int middle() const { return 1 << (parts_.codes.bits() - 1); }
  void read_codes(const Tile& tile, uint8_t* out) const;
  // Of the pieces of `part`, one a row and group.
  std::vector<uint8_t> read_zeros(const Tile& tile, const ScaleGrid::Part& part) const;
  // Of the columns; empty where they are in groups side by side.
  std::vector<int32_t> read_groups() const;
  // The bits of a scale in f16, of the row.
  uint16_t scale_bits(float scale, int64_t row) const;
  void fill_groups(std::byte* out) const;
  void fill_ordered(std::byte* out) const;

  GroupCodes parts_;
  const GroupedFormat* grouped_ = nullptr;
  const OrderedFormat* ordered_ = nullptr;
};

}  // namespace headroom
