// Rows written in place (ops/write_rows.h). Threads split the rows.
#include <algorithm>
#include <cstring>

#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"
#include "headroom/base/cache_format.h"
#include "headroom/base/convert.h"

namespace headroom::HEADROOM_ISA {
namespace {

// Groups of 32, as CacheFormat::encode has them.
constexpr int64_t kVectorGroup = 2 * kLanes;

// codes[0..32): of the elements, by their group's grid.
HEADROOM_INLINE CacheGrid encode_codes(const float* elements, int bits, uint8_t* codes) {
  const F32x16 x[2] = {load(elements), load(elements + kLanes)};
  const CacheGrid grid(-max_of(max(-x[0], -x[1])), max_of(max(x[0], x[1])), bits);
  const F32x16 scale(f16_to_f32(grid.scale_bits));
  const F32x16 low(f16_to_f32(grid.low_bits));
  const F32x16 most(static_cast<float>((1 << bits) - 1));
  for (int i = 0; i < 2; ++i) {
    const F32x16 code = min_or_second(max_or_second((x[i] - low) / scale, F32x16(0.0f)), most);
    store_bytes(codes + i * kLanes, round_to_even(select(F32x16(0.0f) < scale, code, F32x16(0.0f))));
  }
  return grid;
}

template <class Number>
void encode_numbers(const CacheLayout& layout, const float* elements, int64_t group, int64_t lane, std::byte* panel) {
  auto* out = reinterpret_cast<Number*>(panel + group * layout.group_bytes());
  if (layout.order == CacheFormat::Order::values) {
    for (int i = 0; i < 2; ++i) store(out + lane * kVectorGroup + i * kLanes, load(elements + i * kLanes));
    return;
  }
  Number numbers[kVectorGroup];
  for (int i = 0; i < 2; ++i) store(numbers + i * kLanes, load(elements + i * kLanes));
  for (int64_t k = 0; k < kVectorGroup; ++k) out[k * kCachePanelRows + lane] = numbers[k];
}

void encode_group(const CacheLayout& layout, const float* elements, int64_t group, int64_t lane, std::byte* panel) {
  if (layout.element == DType::f32) return encode_numbers<float>(layout, elements, group, lane, panel);
  if (layout.element == DType::bf16) return encode_numbers<Bf16>(layout, elements, group, lane, panel);
  if (layout.element == DType::f16) return encode_numbers<F16>(layout, elements, group, lane, panel);
  uint8_t codes[kVectorGroup];
  const CacheGrid grid = encode_codes(elements, layout.bits, codes);
  std::byte* place = panel + group * layout.group_bytes();
  std::memcpy(place + layout.scales_at() + 2 * lane, &grid.scale_bits, sizeof grid.scale_bits);
  std::memcpy(place + layout.lows_at() + 2 * lane, &grid.low_bits, sizeof grid.low_bits);
  auto* out = reinterpret_cast<uint8_t*>(place);
  const bool halves = layout.bits == 4;
  if (layout.order == CacheFormat::Order::keys) {
    const int64_t steps = halves ? kVectorGroup / 2 : kVectorGroup;
    for (int64_t s = 0; s < steps; ++s) {
      out[s * kCachePanelRows + lane] = halves ? static_cast<uint8_t>(codes[2 * s] | codes[2 * s + 1] << 4) : codes[s];
    }
    return;
  }
  if (halves) {
    for (int64_t i = 0; i < kLanes; ++i) codes[i] = static_cast<uint8_t>(codes[i] | codes[kLanes + i] << 4);
  }
  const size_t row_bytes = halves ? kLanes : kVectorGroup;
  std::memcpy(out + static_cast<size_t>(lane) * row_bytes, codes, row_bytes);
}

// The row of `width` elements into row `at` of a cache.
void encode_row(const CacheFormat& format, const CacheLayout& layout, const float* elements, int64_t width,
                const Tensor& cache, int64_t at) {
  if (layout.group != kVectorGroup) {
    const std::span<const float> row(elements, static_cast<size_t>(width));
    format.encode(cache.type.shape, at * width, row, cache.data, {});
    return;
  }
  std::byte* panel = cache.data + at / kCachePanelRows * layout.panel_bytes;
  for (int64_t group = 0; group < layout.groups; ++group) {
    encode_group(layout, elements + group * kVectorGroup, group, at % kCachePanelRows, panel);
  }
}

}  // namespace

void write_rows(const Invocation& call) {
  const Tensor& target = call.outputs[0];
  const Tensor& rows = call.inputs[1];
  const Tensor& ranges = call.inputs[2];
  const int64_t width = rows.elements() == 0 ? 0 : rows.elements() / rows.dim(0);
  // write(row, row of the target, rows).
  const auto for_each_run = [&](auto&& write) {
    int64_t next = 0;
    for (int64_t i = 0; i < ranges.elements(); i += 2) {
      const int64_t first = ranges.as<const int32_t>()[i];
      const int64_t count = std::max<int64_t>(ranges.as<const int32_t>()[i + 1], 0);
      call.threads.split(count, 1,
                         [&](int64_t begin, int64_t end, int) { write(next + begin, first + begin, end - begin); });
      next += count;
    }
  };
  if (const CacheFormat* format = as_cache_format(target.type.dtype)) {
    const CacheLayout layout(*format, target.type.shape);
    for_each_run([&](int64_t from, int64_t to, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        encode_row(*format, layout, rows.as<const float>() + (from + i) * width, width, target, to + i);
      }
    });
    return;
  }
  const auto row_of = [&](const Tensor& tensor, int64_t row) {
    return tensor.data + row * width * size_of(tensor.type.dtype);
  };
  for_each_run([&](int64_t from, int64_t to, int64_t count) {
    convert_elements(rows.type.dtype, row_of(rows, from), target.type.dtype, row_of(target, to), count * width);
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(write_rows);
