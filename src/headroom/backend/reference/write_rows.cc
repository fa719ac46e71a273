// Rows written in place (ops/write_rows.h).
#include <algorithm>
#include <cstring>

#include "headroom/backend/kernel.h"
#include "headroom/base/cache_format.h"
#include "headroom/base/dtype.h"

namespace headroom::reference {
namespace {

// target[at + i] = rows[from + i] for i < count, in elements; rounded where the formats differ.
void copy_elements(const Tensor& rows, int64_t from, const Tensor& target, int64_t at, int64_t count) {
  if (const CacheFormat* format = as_cache_format(target.type.dtype)) {
    const std::span<const float> elements(rows.as<const float>() + from, static_cast<size_t>(count));
    format->encode(target.type.shape, at, elements, target.data, {});
    return;
  }
  if (rows.type.dtype == target.type.dtype) {
    const int64_t size = size_of(rows.type.dtype);
    std::memcpy(target.data + at * size, rows.data + from * size, static_cast<size_t>(count * size));
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    const float value = rows.as<const float>()[from + i];
    target.as<uint16_t>()[at + i] = target.type.dtype == DType::bf16 ? f32_to_bf16(value) : f32_to_f16(value);
  }
}

}  // namespace

// The next `count` rows go to target[first ...), range after range.
void write_rows(const Invocation& call) {
  const Tensor& rows = call.inputs[1];
  const Tensor& ranges = call.inputs[2];
  const int64_t width = rows.elements() == 0 ? 0 : rows.elements() / rows.dim(0);
  int64_t row = 0;
  for (int64_t i = 0; i < ranges.elements(); i += 2) {
    const int64_t first = ranges.as<const int32_t>()[i];
    const int64_t count = std::max<int64_t>(ranges.as<const int32_t>()[i + 1], 0);
    copy_elements(rows, row * width, call.outputs[0], first * width, count * width);
    row += count;
  }
}

}  // namespace headroom::reference

HEADROOM_KERNEL(write_rows);
