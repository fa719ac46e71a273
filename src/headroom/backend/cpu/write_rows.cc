// Rows written in place (ops/write_rows.h). Threads split the rows.
#include <algorithm>
#include <cstring>

#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"
#include "headroom/base/cache_format.h"
#include "headroom/base/convert.h"
#include "headroom/base/grouped_format.h"

namespace headroom::HEADROOM_ISA {
namespace {

// Groups of 32, as CacheFormat::encode has them.
constexpr int64_t kVectorGroup = 2 * kLanes;
// Lines that a row writes are far apart, and asked for so many groups before: of keys whole groups of them, in which
// each element is in a line of its own or nearly so.
constexpr int64_t kKeysAhead = 2;
constexpr int64_t kValuesAhead = 8;

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

// Each of these encodes a group of a row that is `lane` of its panel, where the group is at `place`.
template <class Number>
HEADROOM_INLINE void encode_numbers(CacheFormat::Order order, const float* elements, int64_t lane, std::byte* place) {
  auto* out = reinterpret_cast<Number*>(place);
  if (order == CacheFormat::Order::values) {
    for (int i = 0; i < 2; ++i) store(out + lane * kVectorGroup + i * kLanes, load(elements + i * kLanes));
    return;
  }
  Number numbers[kVectorGroup];
  for (int i = 0; i < 2; ++i) store(numbers + i * kLanes, load(elements + i * kLanes));
  for (int64_t k = 0; k < kVectorGroup; ++k) out[k * kCachePanelRows + lane] = numbers[k];
}

HEADROOM_INLINE void encode_few_bits(const CacheLayout& layout, const float* elements, int64_t lane, std::byte* place) {
  uint8_t codes[kVectorGroup];
  const CacheGrid grid = encode_codes(elements, layout.bits, codes);
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

// Elements that are worth a second thread.
constexpr int64_t kLeastShared = 8192;

// Rows that are written: ranges of a table, one after the other.
struct Run {
  int64_t from;  // its first row among the rows
  int64_t to;    // and of the target
  int64_t count;
};

template <class Visit>
void for_each_run(const Tensor& ranges, Visit visit) {
  int64_t next = 0;
  for (int64_t i = 0; i < ranges.elements(); i += 2) {
    const int64_t count = std::max<int64_t>(ranges.as<const int32_t>()[i + 1], 0);
    if (count > 0) visit(Run{next, ranges.as<const int32_t>()[i], count});
    next += count;
  }
}

// Calls encode(elements, lane, place) for groups [begin, end) of a run of rows, panel by panel and in it group by
// group: what all rows of a panel write there stands together.
template <class Encode>
HEADROOM_INLINE void for_each_group(const CacheLayout& layout, const Tensor& rows, const Run& run, int64_t begin,
                                    int64_t end, const Tensor& cache, Encode encode) {
  const int64_t width = layout.groups * layout.group;
  const int64_t group_bytes = layout.group_bytes();
  const bool of_keys = layout.order == CacheFormat::Order::keys;
  const int64_t ahead = (of_keys ? kKeysAhead : kValuesAhead) * group_bytes;
  const int64_t row_bytes = layout.group * layout.bits / 8;  // of values
  const int64_t run_end = run.to + run.count;
  for (int64_t to = run.to; to < run_end;) {
    const int64_t lane = to % kCachePanelRows;
    const int64_t count = std::min(kCachePanelRows - lane, run_end - to);
    const float* elements = rows.as<const float>() + (run.from + to - run.to) * width;
    std::byte* place = cache.data + to / kCachePanelRows * layout.panel_bytes + begin * group_bytes;
    for (int64_t group = begin; group < end; ++group, place += group_bytes) {
      const int64_t first = of_keys ? 0 : lane * row_bytes;
      const int64_t last = of_keys ? group_bytes : (lane + count) * row_bytes;
      for (int64_t at = first; at < last; at += kLineBytes) __builtin_prefetch(place + ahead + at, 1);
      for (int64_t i = 0; i < count; ++i) encode(elements + i * width + group * layout.group, lane + i, place);
    }
    to += count;
  }
}

void encode_groups(const CacheFormat& format, const CacheLayout& layout, const Tensor& rows, const Run& run,
                   int64_t begin, int64_t end, const Tensor& cache) {
  const auto each = [&](auto encode) { for_each_group(layout, rows, run, begin, end, cache, encode); };
  const auto numbers = [&]<class Number>(Number*) {
    each([order = layout.order](const float* elements, int64_t lane, std::byte* place) {
      encode_numbers<Number>(order, elements, lane, place);
    });
  };
  if (layout.group != kVectorGroup) {
    const int64_t width = layout.groups * layout.group;
    for (int64_t i = 0; i < run.count; ++i) {
      const float* row = rows.as<const float>() + (run.from + i) * width;
      format.encode(cache.type.shape, (run.to + i) * width + begin * layout.group,
                    {row + begin * layout.group, row + end * layout.group}, cache.data, {});
    }
    return;
  }
  switch (layout.element) {
    case DType::f32: return numbers(static_cast<float*>(nullptr));
    case DType::bf16: return numbers(static_cast<Bf16*>(nullptr));
    case DType::f16: return numbers(static_cast<F16*>(nullptr));
    default: break;
  }
  each([&layout](const float* elements, int64_t lane, std::byte* place) {
    encode_few_bits(layout, elements, lane, place);
  });
}

}  // namespace

// Threads split the groups of a cache's rows, of which there may be one; otherwise the rows of a run.
void write_rows(const Invocation& call) {
  const Tensor& target = call.outputs[0];
  const Tensor& rows = call.inputs[1];
  const Tensor& ranges = call.inputs[2];
  if (const CacheFormat* format = as_cache_format(target.type.dtype)) {
    const CacheLayout layout(*format, target.type.shape);
    const bool is_little = rows.elements() < kLeastShared;
    call.threads.split(layout.groups, is_little ? layout.groups : 1, [&](int64_t begin, int64_t end, int) {
      for_each_run(ranges, [&](const Run& run) { encode_groups(*format, layout, rows, run, begin, end, target); });
    });
    return;
  }
  const int64_t width = rows.elements() == 0 ? 0 : rows.elements() / rows.dim(0);
  const auto row_of = [&](const Tensor& tensor, int64_t row) {
    return tensor.data + row * width * size_of(tensor.type.dtype);
  };
  for_each_run(ranges, [&](const Run& run) {
    call.threads.split(run.count, 1, [&](int64_t begin, int64_t end, int) {
      convert_elements(rows.type.dtype, row_of(rows, run.from + begin), target.type.dtype,
                       row_of(target, run.to + begin), (end - begin) * width);
    });
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(write_rows);
