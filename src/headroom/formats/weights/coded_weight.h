// A weight that another program has quantised, as the numbers it stands for: what kinds of codes there are, and the
// file that a model's weights of this kind are to those who read them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "headroom/formats/weights/packed_codes.h"

namespace headroom {

class BlockFormat;

// Of shape [rows, columns], out of one or several tensors.
class CodedWeight {
 public:
  explicit CodedWeight(Shape shape, std::string_view kind) : shape_(shape), kind_(kind) {}
  virtual ~CodedWeight() = default;
  CodedWeight(const CodedWeight&) = delete;
  CodedWeight& operator=(const CodedWeight&) = delete;

  const Shape& shape() const { return shape_; }
  // "GPTQ, 4 bits", as `inspect` says it.
  const std::string& kind() const { return kind_; }
  // The tensor that holds the codes, and what all take in files.
  virtual const WeightTensor& codes() const = 0;
  virtual int64_t size_bytes() const = 0;
  // Whether tiles of many rows and few columns are read with fewer jumps than those of few rows.
  virtual bool is_read_by_columns() const { return false; }

  // out[i * stride + j] = element (tile.row + i, tile.column + j), in f32. Throws InvalidInput for scales that are no
  // numbers, and as files are read.
  virtual void decode(const Tile& tile, float* out, int64_t stride) const = 0;

  // The format that holds every element exactly, where kernels know one; and puts the weight into its place in the
  // value in it at `out`, as TensorFile::fill does.
  virtual const BlockFormat* exact_format() const { return nullptr; }
  virtual void fill(std::byte* /*out*/, StackPlace /*place*/) const {}

 protected:
  void set_kind(std::string kind) { kind_ = std::move(kind); }

 private:
  Shape shape_;
  std::string kind_;
};

// Tiles that cover rows [first_row, first_row + rows) of a weight, of at most some 2^16 elements, in columns that are
// multiples of `column_unit`.
template <class Visit>
void for_each_tile(const CodedWeight& weight, int64_t first_row, int64_t rows, int64_t column_unit, Visit&& visit) {
  constexpr int64_t kTileElements = 64 * 1024;
  constexpr int64_t kMostRows = 1024;
  const int64_t columns = weight.shape()[1];
  int64_t height =
      std::min(rows, weight.is_read_by_columns() ? kMostRows : std::max<int64_t>(1, kTileElements / columns));
  height = std::max<int64_t>(height, 1);
  const int64_t width = std::min(columns, std::max(column_unit, kTileElements / height / column_unit * column_unit));
  for (int64_t row = first_row; row < first_row + rows; row += height) {
    for (int64_t column = 0; column < columns; column += width) {
      visit(Tile{row, std::min(height, first_row + rows - row), column, std::min(width, columns - column)});
    }
  }
}

// The coded weights of a model, each a tensor under its Hugging Face name.
class CodedWeights final : public TensorFile {
 public:
  explicit CodedWeights(std::string path) : path_(std::move(path)) {}
  void add(std::string name, std::unique_ptr<CodedWeight> weight);

  const std::string& path() const override { return path_; }
  int64_t count() const override { return static_cast<int64_t>(weights_.size()); }
  StoredTensor tensor(int64_t index) const override;
  std::string_view name(int64_t index) const override { return weights_.at(static_cast<size_t>(index))->name; }
  int64_t find(std::string_view name) const override;
  void read(const StoredTensor& tensor, int64_t first, int64_t count, DType wanted, void* out,
            NanCheck nan_check) const override;
  // Of the codes; what reads tensors by blocks of files does not read these.
  const File& file(const StoredTensor& tensor) const override;
  int64_t unit_bytes(const StoredTensor& tensor) const override;
  void decode(const StoredTensor& tensor, int64_t first, std::span<const std::byte> bytes, DType wanted, void* out,
              NanCheck nan_check) const override;
  void fill(const StoredTensor& tensor, std::byte* out, StackPlace place) const override;

 private:
  struct Named {
    std::string name;
    std::unique_ptr<CodedWeight> weight;
  };
  const CodedWeight& weight_of(const StoredTensor& tensor) const;

  std::string path_;
  std::vector<std::unique_ptr<Named>> weights_;  // in the order of their names
};

}  // namespace headroom
