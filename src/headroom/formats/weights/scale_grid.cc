#include "headroom/formats/weights/scale_grid.h"

#include <cmath>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

int64_t pieces_of(int64_t elements, int64_t piece) { return (elements + piece - 1) / piece; }

bool is_real(StoredType type) { return type == StoredType::f16 || type == StoredType::bf16 || type == StoredType::f32; }

}  // namespace

ScaleGrid::ScaleGrid(const WeightTensor& scales, const Shape& weight, int64_t piece_rows, int64_t piece_columns,
                     Order order)
    : scales_(scales), piece_rows_(piece_rows), piece_columns_(piece_columns), order_(order) {
  row_pieces_ = pieces_of(weight[0], piece_rows);
  column_pieces_ = pieces_of(weight[1], piece_columns);
  const StoredTensor& stored = scales.stored;
  const Shape expected =
      order == Order::transposed ? Shape{column_pieces_, row_pieces_} : Shape{row_pieces_, column_pieces_};
  const bool is_one = row_pieces_ * column_pieces_ == 1;
  const bool is_row = column_pieces_ == 1 && stored.shape == Shape{row_pieces_};  // a channel's, without its column
  const bool is_padded = order == Order::padded_rows && stored.shape.rank() == 2 && stored.shape[0] == row_pieces_ &&
                         stored.shape[1] >= column_pieces_;
  pitch_ = is_padded ? stored.shape[1] : column_pieces_;
  const bool fits = is_one ? stored.shape.elements() == 1 : stored.shape == expected || is_row || is_padded;
  if (fits && is_real(stored.type)) return;
  throw InvalidInput(
      "{}: tensor {} is {} of shape {}; expected F16, BF16 or F32 of shape {}, the scales of a weight {}",
      scales.file->path(), printable(stored.name), stored.type_name, to_string(stored.shape), to_string(expected),
      to_string(weight));
}

ScaleGrid::Part ScaleGrid::read(const Tile& tile, Zeros zeros) const {
  Part part{tile.row / piece_rows_, tile.column / piece_columns_, 0, {}};
  const int64_t rows = (tile.row + tile.rows - 1) / piece_rows_ + 1 - part.first_row;
  part.columns = (tile.column + tile.columns - 1) / piece_columns_ + 1 - part.first_column;
  part.scales.resize(static_cast<size_t>(rows * part.columns));
  if (order_ == Order::transposed) {
    std::vector<float> column(static_cast<size_t>(rows));
    for (int64_t j = 0; j < part.columns; ++j) {
      scales_.read((part.first_column + j) * row_pieces_ + part.first_row, rows, DType::f32, column.data());
      for (int64_t i = 0; i < rows; ++i)
        part.scales[static_cast<size_t>(i * part.columns + j)] = column[static_cast<size_t>(i)];
    }
  } else if (part.columns == pitch_) {
    scales_.read(part.first_row * pitch_, rows * pitch_, DType::f32, part.scales.data());
  } else {
    for (int64_t i = 0; i < rows; ++i) {
      scales_.read((part.first_row + i) * pitch_ + part.first_column, part.columns, DType::f32,
                   part.scales.data() + i * part.columns);
    }
  }
  for (size_t i = 0; i < part.scales.size(); ++i) {
    const float scale = part.scales[i];
    if (std::isfinite(scale) && (scale != 0 || zeros == Zeros::allow)) continue;
    const auto at = static_cast<int64_t>(i);
    throw InvalidInput(
        "{}: tensor {} has a scale of {} for row {}, column {} of the weight; expected a number that is "
        "not 0; the file is damaged",
        scales_.file->path(), printable(scales_.stored.name), scale, (part.first_row + at / part.columns) * piece_rows_,
        (part.first_column + at % part.columns) * piece_columns_);
  }
  return part;
}

}  // namespace headroom
