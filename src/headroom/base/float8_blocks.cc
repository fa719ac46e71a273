#include "headroom/base/float8_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "headroom/base/bytes.h"

namespace headroom {
namespace {

constexpr int64_t kLine = 64;

int64_t rows_of(const Shape& shape) { return shape.elements() / shape[shape.rank() - 1]; }

int64_t pieces_of(int64_t elements, int64_t piece) { return (elements + piece - 1) / piece; }

// A sign, four bits of exponent with a bias of 7, three of mantissa.
float value_of(int byte) {
  const int exponent = byte >> 3 & 15, mantissa = byte & 7;
  float magnitude = std::numeric_limits<float>::quiet_NaN();
  if (exponent != 15 || mantissa != 7) {
    magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                              : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  }
  return byte < 128 ? magnitude : -magnitude;
}

}  // namespace

const std::array<float, 256>& float8_values() {
  static const std::array<float, 256> values = [] {
    std::array<float, 256> all;
    for (int byte = 0; byte < 256; ++byte) all[static_cast<size_t>(byte)] = value_of(byte);
    return all;
  }();
  return values;
}

int64_t Float8Format::piece_columns(const Shape& shape) const {
  return piece_columns_ == 0 ? shape[shape.rank() - 1] : piece_columns_;
}

int64_t Float8Format::scales_at(const Shape& shape) { return round_up(shape.elements(), kLine); }

int64_t Float8Format::scale_columns(const Shape& shape) const {
  return pieces_of(shape[shape.rank() - 1], piece_columns(shape));
}

int64_t Float8Format::scales(const Shape& shape) const {
  return pieces_of(rows_of(shape), piece_rows_) * scale_columns(shape);
}

int64_t Float8Format::bytes(const Shape& shape) const {
  if (shape.rank() == 0 || shape.elements() == 0) return 0;
  return scales_at(shape) + scales(shape) * static_cast<int64_t>(sizeof(float));
}

void Float8Format::decode(const Shape& shape, const std::byte* tensor, int64_t first, int64_t count, float* out) const {
  const std::array<float, 256>& values = float8_values();
  const int64_t columns = shape[shape.rank() - 1], piece = piece_columns(shape);
  const auto* codes = reinterpret_cast<const uint8_t*>(tensor);
  const std::byte* scales = tensor + scales_at(shape);
  for (int64_t i = first; i < first + count;) {
    const int64_t row = i / columns, column = i % columns;
    const int64_t run = std::min({piece - column % piece, columns - column, first + count - i});
    float scale;
    std::memcpy(&scale, scales + (row / piece_rows_ * scale_columns(shape) + column / piece) * 4, sizeof scale);
    for (int64_t k = 0; k < run; ++k) out[k] = values[codes[i + k]] * scale;
    i += run;
    out += run;
  }
}

int64_t Float8Format::stack_stride(const Shape& matrix) const {
  return rows_of(matrix) % piece_rows_ == 0 ? matrix.elements() : 0;
}

// What neither codes nor scales fill.
void Float8Format::finish(const Shape& shape, std::byte* tensor, std::span<const float>) const {
  std::memset(tensor + shape.elements(), 0, static_cast<size_t>(scales_at(shape) - shape.elements()));
}

namespace {

constinit const Float8Format kFloat8Blocks("float8_b128", kFloat8Block, kFloat8Block);
constinit const Float8Format kFloat8Channels("float8_channel", 1, 0);

}  // namespace

HEADROOM_BLOCK_FORMAT(kFloat8Blocks);
HEADROOM_BLOCK_FORMAT(kFloat8Channels);

const Float8Format& float8_blocks() { return kFloat8Blocks; }
const Float8Format& float8_channels() { return kFloat8Channels; }

}  // namespace headroom
