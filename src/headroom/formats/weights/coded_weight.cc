#include "headroom/formats/weights/coded_weight.h"

#include <algorithm>
#include <array>

#include "headroom/base/block_format.h"
#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {

void CodedWeights::add(std::string name, std::unique_ptr<CodedWeight> weight) {
  auto named = std::make_unique<Named>(Named{std::move(name), std::move(weight)});
  const auto place = std::upper_bound(weights_.begin(), weights_.end(), named,
                                      [](const auto& a, const auto& b) { return a->name < b->name; });
  weights_.insert(place, std::move(named));
}

StoredTensor CodedWeights::tensor(int64_t index) const {
  const Named& named = *weights_.at(static_cast<size_t>(index));
  const StoredTensor& codes = named.weight->codes().stored;
  StoredTensor stored;
  stored.name = named.name;
  stored.type = StoredType::encoded;
  stored.type_name = named.weight->kind();
  stored.shape = named.weight->shape();
  stored.part = codes.part;
  stored.offset_bytes = codes.offset_bytes;
  stored.size_bytes = named.weight->size_bytes();
  stored.in_order = false;
  stored.exact_format = named.weight->exact_format();
  return stored;
}

int64_t CodedWeights::find(std::string_view name) const {
  const auto place = std::lower_bound(weights_.begin(), weights_.end(), name,
                                      [](const auto& one, std::string_view wanted) { return one->name < wanted; });
  return place != weights_.end() && (*place)->name == name ? place - weights_.begin() : -1;
}

const CodedWeight& CodedWeights::weight_of(const StoredTensor& tensor) const {
  return *weights_[static_cast<size_t>(find(tensor.name))]->weight;
}

void CodedWeights::read(const StoredTensor& tensor, int64_t first, int64_t count, DType wanted, void* out,
                        NanCheck nan_check) const {
  ensure(first >= 0 && count >= 0 && first <= tensor.shape.elements() - count,
         "{}: elements {} to {} lie outside the tensor", tensor.name, first, first + count);
  if (wanted != DType::f64 && wanted != DType::f32 && wanted != DType::f16 && wanted != DType::bf16) {
    throw InvalidInput("{}: tensor {} is stored as {}; expected a dtype that converts to {}", path(),
                       printable(tensor.name), tensor.type_name, name_of(wanted));
  }
  const CodedWeight& weight = weight_of(tensor);
  const int64_t columns = tensor.shape[1];
  auto* to = static_cast<std::byte*>(out);
  std::vector<float> numbers;
  const auto put = [&](const Tile& tile) {
    const int64_t at = tile.row * columns + tile.column - first;
    if (wanted == DType::f32) return weight.decode(tile, reinterpret_cast<float*>(to) + at, columns);
    numbers.resize(static_cast<size_t>(tile.rows * tile.columns));
    weight.decode(tile, numbers.data(), tile.columns);
    for (int64_t i = 0; i < tile.rows; ++i) {
      convert_elements(DType::f32, numbers.data() + i * tile.columns, wanted, to + (at + i * columns) * size_of(wanted),
                       tile.columns);
    }
  };
  // The end of a row, whole rows, the beginning of one.
  const int64_t last = first + count;
  int64_t row = first / columns;
  if (count > 0 && first % columns != 0) {
    const int64_t end = std::min(last, (row + 1) * columns);
    put({row, 1, first % columns, end - first});
    ++row;
  }
  if (const int64_t rows = last / columns - row; rows > 0) {
    for_each_tile(weight, row, rows, 1, put);
    row += rows;
  }
  if (const int64_t left = last - row * columns; left > 0) put({row, 1, 0, left});
  if (nan_check == NanCheck::refuse) refuse_nan(path(), tensor, first, wanted, out, count);
}

void CodedWeights::fill(const StoredTensor& tensor, std::byte* out, StackPlace place) const {
  weight_of(tensor).fill(out, place);
}

const File& CodedWeights::file(const StoredTensor& tensor) const {
  const WeightTensor& codes = weight_of(tensor).codes();
  return codes.file->file(codes.stored);
}

int64_t CodedWeights::unit_bytes(const StoredTensor&) const {
  throw InternalError("{}: coded weights do not lie in one piece", path());
}

void CodedWeights::decode(const StoredTensor&, int64_t, std::span<const std::byte>, DType, void*, NanCheck) const {
  throw InternalError("{}: coded weights do not lie in one piece", path());
}

}  // namespace headroom
