#include "headroom/formats/weights/group_coded_weight.h"

#include <algorithm>
#include <cstring>

#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/base/ordered_format.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

constexpr int64_t kPlaneColumns = 32;  // that a grouped format puts at once

bool is_one_by_one(const std::vector<int32_t>& groups, int64_t size) {
  for (size_t k = 0; k < groups.size(); ++k) {
    if (groups[k] != static_cast<int32_t>(static_cast<int64_t>(k) / size)) return false;
  }
  return true;
}

// The groups of a format that hold theirs: the same, or parts of them with the same scale.
const GroupedFormat* find_format(int bits, bool has_zeros, int64_t group, int64_t columns) {
  if (group >= columns && columns % kPlaneColumns == 0) return find_grouped(bits, has_zeros, 0);
  for (const int64_t part : {128, 64, 32}) {
    if (group % part == 0 && columns % part == 0) return find_grouped(bits, has_zeros, part);
  }
  return nullptr;
}

}  // namespace

GroupCodedWeight::GroupCodedWeight(const Shape& shape, std::string_view kind, GroupCodes parts)
    : CodedWeight(shape, fmt::format("{}, {} bits", kind, parts.codes.bits())), parts_(std::move(parts)) {
  const int64_t columns = shape[1], groups = parts_.scales.column_pieces();
  bool side_by_side = true;
  if (parts_.groups_of_columns) {
    const WeightTensor& tensor = *parts_.groups_of_columns;
    expect_stored(tensor, StoredType::i32, {columns}, "the group of each column");
    const std::vector<int32_t> of_columns = read_groups();
    for (size_t k = 0; k < of_columns.size(); ++k) {
      if (of_columns[k] >= 0 && of_columns[k] < groups) continue;
      throw InvalidInput("{}: tensor {} puts column {} into group {}; expected 0 to {}, the groups of the scales",
                         tensor.file->path(), printable(tensor.stored.name), k, of_columns[k], groups - 1);
    }
    side_by_side = is_one_by_one(of_columns, parts_.scales.piece_columns());
    if (side_by_side) parts_.groups_of_columns.reset();
  }
  if (!side_by_side) set_kind(this->kind() + ", columns in the order of their activations");
  const StoredType type = parts_.scales.tensor().stored.type;
  if (type == StoredType::f32) return;
  const int64_t group = parts_.scales.piece_columns();
  if (side_by_side) {
    const bool has_zeros = parts_.zeros.has_value() && !parts_.is_symmetric;
    grouped_ = find_format(parts_.codes.bits(), has_zeros, group, columns);
  } else {
    ordered_ = find_ordered(parts_.codes.bits(), group);
  }
}

int64_t GroupCodedWeight::size_bytes() const {
  return parts_.codes.size_bytes() + parts_.scales.size_bytes() + (parts_.zeros ? parts_.zeros->size_bytes() : 0);
}

// Words of the file hold columns side by side where they lie along the other dimension.
bool GroupCodedWeight::is_read_by_columns() const { return parts_.transposed; }

const BlockFormat* GroupCodedWeight::exact_format() const {
  if (ordered_ != nullptr) return ordered_;
  return grouped_;
}

void GroupCodedWeight::read_codes(const Tile& tile, uint8_t* out) const {
  if (!parts_.transposed) return parts_.codes.read(tile, out, tile.columns, 1);
  parts_.codes.read({tile.column, tile.columns, tile.row, tile.rows}, out, 1, tile.columns);
}

std::vector<uint8_t> GroupCodedWeight::read_zeros(const Tile& tile, const ScaleGrid::Part& part) const {
  std::vector<uint8_t> zeros(part.scales.size(), static_cast<uint8_t>(middle()));
  if (!parts_.zeros) return zeros;
  const Tile groups = {tile.row, tile.rows, part.first_column, part.columns};
  if (parts_.zeros_transposed) {
    parts_.zeros->read({groups.column, groups.columns, groups.row, groups.rows}, zeros.data(), 1, groups.columns);
  } else {
    parts_.zeros->read(groups, zeros.data(), groups.columns, 1);
  }
  const int mask = (1 << parts_.codes.bits()) - 1;
  for (size_t i = 0; i < zeros.size(); ++i) {
    if (!parts_.is_symmetric) {
      if (parts_.zeros_less_one) zeros[i] = static_cast<uint8_t>((zeros[i] + 1) & mask);
      continue;
    }
    if (zeros[i] != middle() && zeros[i] != middle() - 1) {
      const StoredTensor& stored = parts_.zeros->words().stored;
      throw InvalidInput(
          "{}: tensor {} stores a zero of {}; expected {} or {}, as quantization_config says that the "
          "weights are symmetric (sym); try with \"sym\": false",
          parts_.zeros->words().file->path(), printable(stored.name), zeros[i], middle() - 1, middle());
    }
    zeros[i] = static_cast<uint8_t>(middle());
  }
  return zeros;
}

std::vector<int32_t> GroupCodedWeight::read_groups() const {
  if (!parts_.groups_of_columns) return {};
  std::vector<int32_t> groups(static_cast<size_t>(shape()[1]));
  read_stored(*parts_.groups_of_columns, 0, shape()[1], groups.data());
  return groups;
}

void GroupCodedWeight::decode(const Tile& tile, float* out, int64_t stride) const {
  const std::vector<int32_t> groups = read_groups();
  std::vector<uint8_t> codes(static_cast<size_t>(tile.rows * tile.columns));
  read_codes(tile, codes.data());
  // Columns that are in any order need the scales of all groups.
  const Tile scaled = groups.empty() ? tile : Tile{tile.row, tile.rows, 0, shape()[1]};
  const ScaleGrid::Part part = parts_.scales.read(scaled);
  const std::vector<uint8_t> zeros = read_zeros(scaled, part);
  const bool one_scale = part.scales.size() == 1;  // of all rows
  const int64_t size = parts_.scales.piece_columns();
  for (int64_t i = 0; i < tile.rows; ++i) {
    const uint8_t* row = codes.data() + i * tile.columns;
    for (int64_t j = 0; j < tile.columns; ++j) {
      const int64_t k = tile.column + j;
      const int64_t group = (groups.empty() ? k / size : groups[static_cast<size_t>(k)]) - part.first_column;
      const auto place = static_cast<size_t>(one_scale ? 0 : i * part.columns + group);
      out[i * stride + j] = static_cast<float>(int{row[j]} - int{zeros[place]}) * part.scales[place];
    }
  }
}

uint16_t GroupCodedWeight::scale_bits(float scale, int64_t row) const {
  const uint16_t bits = f32_to_f16(scale);
  if (f16_to_f32(bits) == scale) return bits;
  const WeightTensor& scales = parts_.scales.tensor();
  throw InvalidInput(
      "{}: tensor {} has a scale of {} in row {}, which F16 does not hold; try a copy of the model that headroom "
      "convert "
      "--dtype f32 makes",
      scales.file->path(), printable(scales.stored.name), scale, row);
}

void GroupCodedWeight::fill(std::byte* out, StackPlace place) const {
  if (ordered_ != nullptr) return fill_ordered(out);
  fill_groups(out + place.index * grouped_->stack_stride(shape()));
  if (place.count == 1) grouped_->finish(shape(), out, {});
}

void GroupCodedWeight::fill_groups(std::byte* out) const {
  const GroupedLayout layout(*grouped_, shape());
  const int64_t columns = layout.columns, size = parts_.scales.piece_columns();
  for_each_tile(*this, 0, layout.rows, kPlaneColumns, [&](const Tile& tile) {
    std::vector<uint8_t> codes(static_cast<size_t>(tile.rows * tile.columns));
    read_codes(tile, codes.data());
    const ScaleGrid::Part part = parts_.scales.read(tile);
    const std::vector<uint8_t> zeros = read_zeros(tile, part);
    const bool one_scale = part.scales.size() == 1;
    for (int64_t i = 0; i < tile.rows; ++i) {
      for (int64_t j = 0; j < tile.columns; j += kPlaneColumns) {
        const int64_t k = tile.column + j;
        const auto place = static_cast<size_t>(one_scale ? 0 : i * part.columns + k / size - part.first_column);
        const std::span<const uint8_t> some(codes.data() + i * tile.columns + j, static_cast<size_t>(kPlaneColumns));
        const uint16_t bits = scale_bits(part.scales[place], tile.row + i);
        grouped_->put_group(layout, (tile.row + i) * columns + k, some, bits, zeros[place], out);
      }
    }
  });
}

void GroupCodedWeight::fill_ordered(std::byte* out) const {
  const OrderedFormat::Planes planes = ordered_->planes(shape());
  const int bits = ordered_->bits();
  std::memset(out, 0, static_cast<size_t>(planes.bytes));
  const std::vector<int32_t> groups = read_groups();
  for (size_t k = 0; k < groups.size(); ++k) {
    const auto group = static_cast<uint16_t>(groups[k]);
    std::memcpy(out + 2 * k, &group, sizeof group);
  }
  for_each_tile(*this, 0, shape()[0], kPlaneColumns, [&](const Tile& tile) {
    if (tile.column == 0) {
      const Tile rows = {tile.row, tile.rows, 0, planes.columns};
      const ScaleGrid::Part part = parts_.scales.read(rows);
      const std::vector<uint8_t> zeros = read_zeros(rows, part);
      const int64_t first = tile.row * planes.groups;
      std::memcpy(out + planes.zeros_at + first, zeros.data(), zeros.size());
      for (size_t i = 0; i < part.scales.size(); ++i) {
        const uint16_t scale = scale_bits(part.scales[i], tile.row + static_cast<int64_t>(i) / planes.groups);
        std::memcpy(out + planes.scales_at + 2 * (first + static_cast<int64_t>(i)), &scale, sizeof scale);
      }
    }
    std::vector<uint8_t> codes(static_cast<size_t>(tile.rows * tile.columns));
    read_codes(tile, codes.data());
    auto* to = reinterpret_cast<uint8_t*>(out) + planes.codes_at;
    for (int64_t i = 0; i < tile.rows; ++i) {
      for (int64_t j = 0; j < tile.columns; ++j) {
        const int code = codes[static_cast<size_t>(i * tile.columns + j)];
        const int64_t bit = (tile.column + j) * bits;
        uint8_t* byte = to + (tile.row + i) * planes.row_bytes + bit / 8;
        byte[0] = static_cast<uint8_t>(byte[0] | code << (bit % 8));
        if (bit % 8 + bits > 8) byte[1] = static_cast<uint8_t>(byte[1] | code >> (8 - bit % 8));
      }
    }
  });
}

}  // namespace headroom
