#include "headroom/formats/weights/float8_weight.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "headroom/base/errors.h"
#include "headroom/base/float8_blocks.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {

Float8Weight::Float8Weight(const WeightTensor& codes, ScaleGrid scales)
    : CodedWeight(codes.stored.shape, "FP8"), codes_(codes), scales_(std::move(scales)) {
  const int64_t rows = scales_.piece_rows(), columns = scales_.piece_columns();
  if (rows == kFloat8Block && columns == kFloat8Block) {
    exact_ = &float8_blocks();
  } else if (columns == shape()[1] && (rows == 1 || rows == shape()[0])) {
    exact_ = &float8_channels();
  }
}

void Float8Weight::decode(const Tile& tile, float* out, int64_t stride) const {
  const std::array<float, 256>& values = float8_values();
  const ScaleGrid::Part part = scales_.read(tile);
  std::vector<uint8_t> row(static_cast<size_t>(tile.columns));
  for (int64_t i = 0; i < tile.rows; ++i) {
    read_stored(codes_, (tile.row + i) * shape()[1] + tile.column, tile.columns, row.data());
    for (int64_t j = 0; j < tile.columns; ++j) {
      out[i * stride + j] = values[row[static_cast<size_t>(j)]] * scales_.of(part, tile.row + i, tile.column + j);
    }
  }
}

const BlockFormat* Float8Weight::exact_format() const { return exact_; }

// Codes lie as they do in the file.
void Float8Weight::fill(std::byte* out, StackPlace place) const {
  const int64_t rows = shape()[0], columns = shape()[1];
  const Shape whole = place.whole(shape());
  std::byte* to = out + Float8Format::scales_at(whole) +
                  place.index * exact_->scales(shape()) * static_cast<int64_t>(sizeof(float));
  if (place.count == 1) exact_->finish(whole, out, {});
  out += place.index * exact_->stack_stride(shape());
  constexpr int64_t kPiece = 1 << 20;
  for (int64_t first = 0; first < rows * columns; first += kPiece) {
    const int64_t count = std::min(kPiece, rows * columns - first);
    read_stored(codes_, first, count, out + first);
    const auto* codes = reinterpret_cast<const uint8_t*>(out + first);
    const auto* bad = std::find_if(codes, codes + count, [](uint8_t code) { return (code & 127) == 127; });
    if (bad == codes + count) continue;
    throw InvalidInput("{}: tensor {} holds a NaN at element {}; the file is damaged or its training diverged",
                       codes_.file->path(), printable(codes_.stored.name), first + (bad - codes));
  }
  for (int64_t row = 0; row < rows; row += exact_->piece_rows()) {
    const ScaleGrid::Part part = scales_.read({row, 1, 0, columns});
    const size_t size = part.scales.size() * sizeof(float);
    std::memcpy(to, part.scales.data(), size);
    to += size;
  }
}

}  // namespace headroom
