#include "headroom/runtime/stored_value.h"

#include "headroom/base/convert.h"
#include "headroom/base/errors.h"

namespace headroom {

void StoredValue::for_each_piece(const Piece& piece) const {
  if (file == nullptr) return piece(0, data, type.shape.elements());
  file->for_each_piece(offset_bytes, type.bytes(), staging, [&](int64_t first_byte, std::span<const std::byte> bytes) {
    piece(first_byte / size_of(type.dtype), bytes.data(), static_cast<int64_t>(bytes.size()) / size_of(type.dtype));
  });
}

void StoredValue::write(int64_t first, std::span<const float> numbers) const {
  const auto count = static_cast<int64_t>(numbers.size());
  const int64_t element_bytes = size_of(type.dtype);
  if (file == nullptr) {
    return convert_elements(DType::f32, numbers.data(), type.dtype, data + first * element_bytes, count);
  }
  ensure(count * element_bytes <= static_cast<int64_t>(staging.size()), "no staging memory for '{}'", name);
  convert_elements(DType::f32, numbers.data(), type.dtype, staging.data(), count);
  sink_into(*file, offset_bytes)(first * element_bytes, staging.data(), count * element_bytes);
}

LoadStatistics load_values(const std::vector<ValueLoad>& loads, NanCheck nan_check, const LoadProgress& progress) {
  if (loads.empty()) return {};
  std::vector<TensorLoad> tensors;
  for (const ValueLoad& load : loads) {
    tensors.push_back({load.source, load.value.type.dtype, load.value.data});
    if (load.value.file != nullptr) tensors.back().sink = sink_into(*load.value.file, load.value.offset_bytes);
  }
  return load_tensors(std::move(tensors), loads.front().value.staging, nan_check, progress);
}

}  // namespace headroom
