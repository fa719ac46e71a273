#include "headroom/formats/weights/packed_codes.h"

#include <algorithm>
#include <array>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

constexpr int kWordBits = 32;
// Where AWQ's word has the number of its column.
constexpr std::array<uint8_t, 8> kAwqPlaces = {0, 4, 1, 5, 2, 6, 3, 7};

int64_t words_of(int64_t numbers, int bits) { return (numbers * bits + kWordBits - 1) / kWordBits; }

}  // namespace

void read_stored(const WeightTensor& tensor, int64_t first, int64_t count, void* out) {
  const int64_t element_bytes = size_of(tensor.stored.type);
  tensor.file->file(tensor.stored).read(tensor.stored.offset_bytes + first * element_bytes, out, count * element_bytes);
}

void expect_stored(const WeightTensor& tensor, StoredType type, const Shape& expected, std::string_view of) {
  const StoredTensor& stored = tensor.stored;
  if (stored.type == type && stored.shape == expected) return;
  throw InvalidInput("{}: tensor {} is {} of shape {}; expected {} of shape {}, {}", tensor.file->path(),
                     printable(stored.name), stored.type_name, to_string(stored.shape), name_of(type),
                     to_string(expected), of);
}

PackedCodes::PackedCodes(const WeightTensor& words, Along along, int bits, int64_t rows, int64_t columns, Kind kind)
    : words_(words), along_(along), kind_(kind), bits_(bits) {
  if (kind == Kind::with_sign) {
    expect_stored(words, StoredType::i8, {rows, columns}, "a byte a number");
    return;
  }
  const Shape shape =
      along == Along::rows ? Shape{words_of(rows, bits), columns} : Shape{rows, words_of(columns, bits)};
  expect_stored(words, StoredType::i32, shape,
                fmt::format("{} x {} numbers of {} bits along its {}", rows, columns, bits,
                            along == Along::rows ? "rows" : "columns"));
}

void PackedCodes::read(const Tile& tile, uint8_t* out, int64_t row_stride, int64_t column_stride) const {
  if (along_ == Along::rows) {
    read_along_rows(tile, out, row_stride, column_stride);
  } else {
    read_along_columns(tile, out, row_stride, column_stride);
  }
}

void PackedCodes::read_along_rows(const Tile& tile, uint8_t* out, int64_t row_stride, int64_t column_stride) const {
  const int64_t width = words_.stored.shape[1];
  const int64_t first_word = tile.row * bits_ / kWordBits;
  const int64_t word_rows = words_of(tile.row + tile.rows, bits_) - first_word;
  std::vector<uint32_t> words(static_cast<size_t>(word_rows * tile.columns));
  if (tile.columns == width) {
    read_stored(words_, first_word * width, word_rows * width, words.data());
  } else {
    for (int64_t i = 0; i < word_rows; ++i) {
      read_stored(words_, (first_word + i) * width + tile.column, tile.columns, words.data() + i * tile.columns);
    }
  }
  const uint32_t mask = (1u << bits_) - 1;
  for (int64_t i = 0; i < tile.rows; ++i) {
    const int64_t bit = (tile.row + i) * bits_ - first_word * kWordBits;
    const int shift = static_cast<int>(bit % kWordBits);
    const uint32_t* low = words.data() + bit / kWordBits * tile.columns;
    uint8_t* to = out + i * row_stride;
    if (shift + bits_ <= kWordBits) {
      for (int64_t j = 0; j < tile.columns; ++j) to[j * column_stride] = static_cast<uint8_t>(low[j] >> shift & mask);
      continue;
    }
    const uint32_t* high = low + tile.columns;
    for (int64_t j = 0; j < tile.columns; ++j) {
      to[j * column_stride] = static_cast<uint8_t>((low[j] >> shift | high[j] << (kWordBits - shift)) & mask);
    }
  }
}

void PackedCodes::read_along_columns(const Tile& tile, uint8_t* out, int64_t row_stride, int64_t column_stride) const {
  const File& file = words_.file->file(words_.stored);
  const int64_t pitch = words_.stored.size_bytes / std::max<int64_t>(words_.stored.shape[0], 1);
  const int64_t numbers = kWordBits / bits_;  // of a word, where they do not straddle
  // AWQ's words are read whole.
  const int64_t first = kind_ == Kind::awq ? tile.column / numbers * numbers : tile.column;
  const int64_t first_byte = first * bits_ / 8;
  const int64_t last = tile.column + tile.columns;
  const int64_t end = kind_ == Kind::awq ? (last + numbers - 1) / numbers * 4 : (last * bits_ + 7) / 8;
  const int64_t size = end - first_byte;
  const bool is_whole = size == pitch;
  std::vector<uint8_t> bytes(static_cast<size_t>((is_whole ? tile.rows : 1) * size));
  if (is_whole) file.read(words_.stored.offset_bytes + tile.row * pitch, bytes.data(), tile.rows * pitch);
  const auto mask = static_cast<uint32_t>((1 << bits_) - 1);
  for (int64_t i = 0; i < tile.rows; ++i) {
    if (!is_whole) file.read(words_.stored.offset_bytes + (tile.row + i) * pitch + first_byte, bytes.data(), size);
    const uint8_t* row = bytes.data() + (is_whole ? i * size : 0);
    for (int64_t j = 0; j < tile.columns; ++j) {
      int64_t place = tile.column + j;
      if (kind_ == Kind::awq) place = place / 8 * 8 + kAwqPlaces[static_cast<size_t>(place % 8)];
      const int64_t bit = place * bits_ - first_byte * 8;
      const int shift = static_cast<int>(bit % 8);
      uint32_t number = row[bit / 8];
      if (shift + bits_ > 8) number |= static_cast<uint32_t>(row[bit / 8 + 1]) << 8;
      number = number >> shift & mask;
      if (kind_ == Kind::with_sign) number ^= 0x80;
      out[i * row_stride + j * column_stride] = static_cast<uint8_t>(number);
    }
  }
}

}  // namespace headroom
