// Whole numbers of a few bits in the tensors of other programs' files: a matrix whose numbers follow each other without
// gaps, from the lowest bit of the first word up, along one of its dimensions.
//   along columns: a row of the matrix is a row of the tensor, as bytes
//   along rows:    a column of the matrix is a column of the tensor's words of 32 bits
#pragma once

#include <cstdint>
#include <vector>

#include "headroom/formats/weights/weight_files.h"

namespace headroom {

// Of a matrix.
struct Tile {
  int64_t row, rows;
  int64_t column, columns;
};

class PackedCodes {
 public:
  enum class Along : uint8_t { rows, columns };
  // How numbers lie that are not in order: AWQ's eight of a word, and those with a sign, which are read less their
  // smallest.
  enum class Kind : uint8_t { plain, awq, with_sign };

  PackedCodes() = default;
  // Throws InvalidInput naming the tensor unless it is of `rows` x `columns` numbers of `bits`: I32, or with a sign I8.
  PackedCodes(const WeightTensor& words, Along along, int bits, int64_t rows, int64_t columns, Kind kind = Kind::plain);

  int bits() const { return bits_; }
  Along along() const { return along_; }
  const WeightTensor& words() const { return words_; }
  // Of the file.
  int64_t size_bytes() const { return words_.stored.size_bytes; }

  // out[(row - tile.row) * row_stride + (column - tile.column) * column_stride] = the number there.
  void read(const Tile& tile, uint8_t* out, int64_t row_stride, int64_t column_stride) const;

 private:
  void read_along_rows(const Tile& tile, uint8_t* out, int64_t row_stride, int64_t column_stride) const;
  void read_along_columns(const Tile& tile, uint8_t* out, int64_t row_stride, int64_t column_stride) const;

  WeightTensor words_;
  Along along_ = Along::columns;
  Kind kind_ = Kind::plain;
  int bits_ = 0;
};

// `count` elements of the tensor from number `first` on, as they lie in the file, in order.
void read_stored(const WeightTensor& tensor, int64_t first, int64_t count, void* out);

// Throws InvalidInput naming the tensor unless its shape is `expected`; `of` says what it is: "zeros of ...".
void expect_stored(const WeightTensor& tensor, StoredType type, const Shape& expected, std::string_view of);

}  // namespace headroom
