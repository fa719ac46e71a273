// The scales of a weight [rows, columns] in files of other programs: one for each piece of some rows and columns, the
// pieces' scales in the order of the rows or of the columns.
#pragma once

#include <vector>

#include "headroom/formats/weights/packed_codes.h"

namespace headroom {

class ScaleGrid {
 public:
  enum class Zeros : uint8_t { allow, refuse };

  ScaleGrid() = default;
  // Of pieces of `piece_rows` x `piece_columns` elements of `weight`; of one scale for all, of any shape with one
  // element. Throws InvalidInput naming the tensor for another shape or an integer type.
  // transposed: the tensor is [pieces along columns, pieces along rows]; padded: a row may go on behind its pieces.
  enum class Order : uint8_t { rows, padded_rows, transposed };
  ScaleGrid(const WeightTensor& scales, const Shape& weight, int64_t piece_rows, int64_t piece_columns, Order order);

  const WeightTensor& tensor() const { return scales_; }
  int64_t piece_rows() const { return piece_rows_; }
  int64_t piece_columns() const { return piece_columns_; }
  int64_t column_pieces() const { return column_pieces_; }
  int64_t size_bytes() const { return scales_.stored.size_bytes; }

  // Those of the pieces in which the tile's elements lie, in f32: rows of pieces [row / piece_rows ...] by columns of
  // pieces. Throws InvalidInput for one that is NaN or infinite, and one that is zero where that is refused.
  struct Part {
    int64_t first_row, first_column;  // of pieces
    int64_t columns;                  // of pieces
    std::vector<float> scales;
  };
  Part read(const Tile& tile, Zeros zeros = Zeros::refuse) const;
  float of(const Part& part, int64_t row, int64_t column) const {
    const int64_t at =
        (row / piece_rows_ - part.first_row) * part.columns + column / piece_columns_ - part.first_column;
    return part.scales[static_cast<size_t>(at)];
  }

 private:
  WeightTensor scales_;
  int64_t piece_rows_ = 1, piece_columns_ = 1;
  int64_t row_pieces_ = 1, column_pieces_ = 1;
  int64_t pitch_ = 1;  // elements of a row of the tensor
  Order order_ = Order::rows;
};

}  // namespace headroom
