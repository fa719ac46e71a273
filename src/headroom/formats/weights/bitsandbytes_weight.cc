#include "headroom/formats/weights/bitsandbytes_weight.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "headroom/base/dynamic_map.h"
#include "headroom/base/errors.h"
#include "headroom/base/nf4.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

constexpr int64_t kMostStateBytes = 4096;
constexpr int64_t kLargestBlock = int64_t{1} << 31;

int64_t blocks_of(int64_t elements, int64_t block) { return (elements + block - 1) / block; }

// `count` numbers in f32, all finite.
std::vector<float> read_floats(const WeightTensor& tensor, int64_t first, int64_t count) {
  std::vector<float> numbers(static_cast<size_t>(count));
  read_stored(tensor, first, count, numbers.data());
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (std::isfinite(numbers[i])) continue;
    throw InvalidInput("{}: tensor {} holds {} at element {}; the file is damaged", tensor.file->path(),
                       printable(tensor.stored.name), numbers[i], first + static_cast<int64_t>(i));
  }
  return numbers;
}

// Magnitudes that are quantised.
struct Nested {
  WeightTensor scales;  // a block of magnitudes each
  std::array<float, 256> map;
  int64_t block = 0;  // of magnitudes
  float offset = 0;
};

struct FourBits {
  WeightTensor codes;
  WeightTensor magnitudes;
  int64_t block = 0;  // of elements
  std::array<float, 16> map;
  std::optional<Nested> nested;
};

class FourBitWeight final : public CodedWeight {
 public:
  FourBitWeight(const Shape& shape, const std::string& kind, FourBits parts)
      : CodedWeight(shape, kind), parts_(std::move(parts)) {
    const std::optional<Nested>& nested = parts_.nested;
    is_nf4_ = nested && parts_.block == kNf4Block && nested->block == kNf4ScaleBlock && parts_.map == kNf4Values &&
              std::equal(nested->map.begin(), nested->map.end(), kSignedMap.values.begin());
  }

  const WeightTensor& codes() const override { return parts_.codes; }
  int64_t size_bytes() const override {
    return parts_.codes.stored.size_bytes + parts_.magnitudes.stored.size_bytes +
           (parts_.nested ? parts_.nested->scales.stored.size_bytes : 0);
  }

  void decode(const Tile& tile, float* out, int64_t stride) const override {
    const int64_t columns = shape()[1];
    for (int64_t i = 0; i < tile.rows; ++i) {
      decode_run((tile.row + i) * columns + tile.column, tile.columns, out + i * stride);
    }
  }

  // The planes of headroom's own NF4 are these tensors.
  const BlockFormat* exact_format() const override { return is_nf4_ ? &nf4() : nullptr; }

  void fill(std::byte* out, StackPlace) const override {
    const int64_t elements = shape().elements();
    const Nf4Planes planes(elements);
    std::memset(out, 0, static_cast<size_t>(nf4().bytes(shape())));
    read_stored(parts_.codes, 0, (elements + 1) / 2, out);
    read_stored(parts_.magnitudes, 0, planes.blocks, out + planes.scales_at);
    const Nested& nested = *parts_.nested;
    // By pieces, each checked.
    constexpr int64_t kPiece = 4096;
    for (int64_t first = 0; first < planes.scale_blocks; first += kPiece) {
      const std::vector<float> scales =
          read_floats(nested.scales, first, std::min(kPiece, planes.scale_blocks - first));
      std::memcpy(out + planes.scale_blocks_at + 4 * first, scales.data(), scales.size() * sizeof(float));
    }
    std::memcpy(out + planes.mean_at, &nested.offset, sizeof nested.offset);
  }

 private:
  // Elements [first, first + count) of the flat weight.
  void decode_run(int64_t first, int64_t count, float* out) const {
    const int64_t first_byte = first / 2;
    std::vector<uint8_t> bytes(static_cast<size_t>((first + count + 1) / 2 - first_byte));
    read_stored(parts_.codes, first_byte, static_cast<int64_t>(bytes.size()), bytes.data());
    const int64_t first_block = first / parts_.block;
    const std::vector<float> magnitudes = read_magnitudes(first_block, (first + count - 1) / parts_.block + 1);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t at = first + i;
      const uint8_t pair = bytes[static_cast<size_t>(at / 2 - first_byte)];
      const auto code = static_cast<size_t>(at % 2 == 0 ? pair >> 4 : pair & 15);
      out[i] = parts_.map[code] * magnitudes[static_cast<size_t>(at / parts_.block - first_block)];
    }
  }

  // Of blocks [first, end).
  std::vector<float> read_magnitudes(int64_t first, int64_t end) const {
    if (!parts_.nested) return read_floats(parts_.magnitudes, first, end - first);
    const Nested& nested = *parts_.nested;
    std::vector<uint8_t> codes(static_cast<size_t>(end - first));
    read_stored(parts_.magnitudes, first, end - first, codes.data());
    const int64_t first_scale = first / nested.block;
    const std::vector<float> scales =
        read_floats(nested.scales, first_scale, (end - 1) / nested.block + 1 - first_scale);
    std::vector<float> magnitudes(codes.size());
    for (size_t i = 0; i < codes.size(); ++i) {
      const int64_t of = (first + static_cast<int64_t>(i)) / nested.block - first_scale;
      magnitudes[i] = nested.map[codes[i]] * scales[static_cast<size_t>(of)] + nested.offset;
    }
    return magnitudes;
  }

  FourBits parts_;
  bool is_nf4_ = false;
};

class EightBitWeight final : public CodedWeight {
 public:
  EightBitWeight(const WeightTensor& codes, const WeightTensor& scales)
      : CodedWeight(codes.stored.shape, "bitsandbytes, 8 bits"), codes_(codes), scales_(scales) {}

  const WeightTensor& codes() const override { return codes_; }
  int64_t size_bytes() const override { return codes_.stored.size_bytes + scales_.stored.size_bytes; }

  void decode(const Tile& tile, float* out, int64_t stride) const override {
    constexpr float kPart = 7.874015718698502e-3f;  // 1 / 127, as the library writes it
    const std::vector<float> scales = read_floats(scales_, tile.row, tile.rows);
    std::vector<int8_t> row(static_cast<size_t>(tile.columns));
    for (int64_t i = 0; i < tile.rows; ++i) {
      read_stored(codes_, (tile.row + i) * shape()[1] + tile.column, tile.columns, row.data());
      const float scale = scales[static_cast<size_t>(i)];
      for (int64_t j = 0; j < tile.columns; ++j) {
        out[i * stride + j] = static_cast<float>(row[static_cast<size_t>(j)]) * scale * kPart;
      }
    }
  }

 private:
  WeightTensor codes_;
  WeightTensor scales_;
};

JsonObject read_state(const WeightTensor& tensor) {
  const StoredTensor& stored = tensor.stored;
  if (stored.type != StoredType::u8 || stored.size_bytes > kMostStateBytes) {
    throw InvalidInput("{}: tensor {} is {} of {} bytes; expected U8, JSON of at most {}", tensor.file->path(),
                       printable(stored.name), stored.type_name, stored.size_bytes, kMostStateBytes);
  }
  std::string text(static_cast<size_t>(stored.size_bytes), '\0');
  read_stored(tensor, 0, stored.size_bytes, text.data());
  const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!json.is_object()) {
    throw InvalidInput("{}: tensor {} is no JSON object", tensor.file->path(), printable(stored.name));
  }
  return JsonObject::of(json, fmt::format("{}: {}", tensor.file->path(), stored.name));
}

}  // namespace

std::unique_ptr<CodedWeight> bitsandbytes_four_bits(const WeightTensor& codes, const FindBeside& find) {
  const auto require = [&](const std::string& ending) {
    if (const std::optional<WeightTensor> part = find(ending)) return *part;
    throw InvalidInput("{}: tensor {}{} is missing; expected it beside {}", codes.file->path(),
                       printable(codes.stored.name), ending, printable(codes.stored.name));
  };
  std::string kind = "nf4";
  std::optional<WeightTensor> state_tensor = find(".quant_state.bitsandbytes__nf4");
  if (!state_tensor) {
    kind = "fp4";
    state_tensor = find(".quant_state.bitsandbytes__fp4");
  }
  if (!state_tensor) state_tensor = require(".quant_state.bitsandbytes__nf4");
  const JsonObject state = read_state(*state_tensor);
  const std::vector<int64_t> dims = state.integers("shape", 1, kLargestBlock);
  if (dims.size() != 2) throw InvalidInput("{}: expected two numbers", state.where("shape"));
  const Shape shape = {dims[0], dims[1]};
  const int64_t elements = shape.elements();
  FourBits parts;
  parts.codes = codes;
  parts.block = state.integer("blocksize", 1, kLargestBlock);
  if (codes.stored.shape.elements() != (elements + 1) / 2) {
    throw InvalidInput("{}: tensor {} has {} bytes; expected {}, two elements of {} in each", codes.file->path(),
                       printable(codes.stored.name), codes.stored.shape.elements(), (elements + 1) / 2,
                       to_string(shape));
  }
  parts.magnitudes = require(".absmax");
  const int64_t blocks = blocks_of(elements, parts.block);
  const WeightTensor map = require(".quant_map");
  expect_stored(map, StoredType::f32, {16}, "what codes stand for");
  const std::vector<float> values = read_floats(map, 0, 16);
  std::copy(values.begin(), values.end(), parts.map.begin());
  if (const std::optional<WeightTensor> scales = find(".nested_absmax")) {
    expect_stored(parts.magnitudes, StoredType::u8, {blocks}, "codes of the blocks' magnitudes");
    Nested nested;
    nested.scales = *scales;
    nested.block = state.integer("nested_blocksize", 1, kLargestBlock);
    nested.offset = static_cast<float>(state.real("nested_offset", -1e30, 1e30));
    expect_stored(*scales, StoredType::f32, {blocks_of(blocks, nested.block)}, "scales of the blocks' magnitudes");
    const WeightTensor nested_map = require(".nested_quant_map");
    expect_stored(nested_map, StoredType::f32, {256}, "what codes of magnitudes stand for");
    const std::vector<float> nested_values = read_floats(nested_map, 0, 256);
    std::copy(nested_values.begin(), nested_values.end(), nested.map.begin());
    parts.nested = nested;
  } else {
    expect_stored(parts.magnitudes, StoredType::f32, {blocks}, "the blocks' magnitudes");
  }
  return std::make_unique<FourBitWeight>(shape, fmt::format("bitsandbytes, {}", kind), std::move(parts));
}

std::unique_ptr<CodedWeight> bitsandbytes_eight_bits(const WeightTensor& codes, const WeightTensor& scales) {
  expect_stored(scales, StoredType::f32, {codes.stored.shape[0]}, "a scale for each row");
  return std::make_unique<EightBitWeight>(codes, scales);
}

}  // namespace headroom
