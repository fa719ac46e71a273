#include "headroom/base/grouped_format.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/page.h"

namespace headroom {
namespace {

// Groups are whole lines of every plane.
constexpr int64_t kLeastGroup = 32;

// A plane holds `bits` of each code: 1, 2, 4 or 8 of them.
struct Plane {
  int bits;
  int64_t at;  // of a panel
  int shift;   // of the code
};

struct Planes {
  std::array<Plane, 2> all;
  size_t count;
};

Planes planes_of(const GroupedLayout& layout) {
  if (layout.bits == 3) return {{{{2, 0, 0}, {1, 4 * layout.columns, 2}}}, 2};
  return {{{{layout.bits, 0, 0}, {}}}, 1};
}

// The byte of a plane that holds element k of a panel's row, and how far up in it.
struct Place {
  int64_t byte;
  int shift;
};

Place place_of(const Plane& plane, int64_t lane, int64_t k) {
  const int64_t per_byte = 8 / plane.bits;
  const int64_t step = k / 4;
  return {plane.at + step / per_byte * kLineBytes + 4 * lane + k % 4, plane.bits * static_cast<int>(step % per_byte)};
}

int code_at(const Planes& planes, const uint8_t* panel, int64_t lane, int64_t k) {
  int code = 0;
  for (size_t i = 0; i < planes.count; ++i) {
    const Plane& plane = planes.all[i];
    const Place place = place_of(plane, lane, k);
    code |= (panel[place.byte] >> place.shift & ((1 << plane.bits) - 1)) << plane.shift;
  }
  return code;
}

using Codes = std::array<uint8_t, kLeastGroup>;

// Of a row, from its element k on, a multiple of as many: whole words of four codes.
void put_codes(const Planes& planes, uint8_t* panel, int64_t lane, int64_t k, const Codes& codes) {
  for (size_t i = 0; i < planes.count; ++i) {
    const Plane& plane = planes.all[i];
    const uint32_t mask = 0x01010101u * ((1u << plane.bits) - 1);
    uint8_t* to = panel + place_of(plane, lane, k).byte;
    const auto put = [&]<int kBits>() {
      for (const uint8_t* from = codes.data(); from < codes.data() + kLeastGroup; to += kLineBytes) {
        uint32_t bytes = 0;
        for (int shift = 0; shift < 8; shift += kBits, from += 4) {
          uint32_t four;
          std::memcpy(&four, from, sizeof four);
          bytes |= (four >> plane.shift & mask) << shift;
        }
        std::memcpy(to, &bytes, sizeof bytes);
      }
    };
    switch (plane.bits) {
      case 1: put.template operator()<1>(); break;
      case 2: put.template operator()<2>(); break;
      case 4: put.template operator()<4>(); break;
      default: put.template operator()<8>(); break;
    }
  }
}

// What a group's codes mean.
struct Grid {
  uint16_t scale_bits;
  int zero;

  float scale() const { return f16_to_f32(scale_bits); }
};

// Four elements side by side, on any processor.
using Four = float __attribute__((vector_size(16)));
using FourWhole = int32_t __attribute__((vector_size(16)));

Four load_four(const float* from) {
  Four four;
  std::memcpy(&four, from, sizeof four);
  return four;
}

// Of the largest magnitude, the first of several.
float find_largest(std::span<const float> group) {
  constexpr int32_t kWithoutSign = 0x7fffffff;
  std::array<int32_t, kLeastGroup> most{};  // magnitudes by their bits, which have the same order
  for (size_t i = 0; i < group.size(); i += kLeastGroup) {
    for (size_t j = 0; j < kLeastGroup; ++j) {
      const int32_t magnitude = std::bit_cast<int32_t>(group[i + j]) & kWithoutSign;
      most[j] = magnitude > most[j] ? magnitude : most[j];
    }
  }
  const int32_t largest = *std::max_element(most.begin(), most.end());
  if (largest == 0) return 0;
  return *std::find_if(group.begin(), group.end(),
                       [&](float x) { return (std::bit_cast<int32_t>(x) & kWithoutSign) == largest; });
}

// Of kLeastGroup elements; the scale is not 0.
Codes find_codes(const float* elements, float scale, int zero, int bits) {
  const Four beyond = Four{} + 512.0f;    // codes are cut long before
  const Four whole = Four{} + 0x1.8p23f;  // behind a sum with it there is no room for a fraction
  const Four most = Four{} + static_cast<float>((1 << bits) - 1);
  std::array<int32_t, kLeastGroup> numbers;
  for (size_t i = 0; i < kLeastGroup; i += 4) {
    Four quotient = load_four(elements + i) / scale;
    quotient = quotient < -beyond ? -beyond : quotient;
    quotient = quotient > beyond ? beyond : quotient;
    Four code = (quotient + whole) - whole + static_cast<float>(zero);
    code = code < Four{} ? Four{} : code;
    code = code > most ? most : code;
    const FourWhole four = __builtin_convertvector(code, FourWhole);
    std::memcpy(&numbers[i], &four, sizeof four);
  }
  Codes codes;
  for (size_t i = 0; i < kLeastGroup; ++i) codes[i] = static_cast<uint8_t>(numbers[i]);
  return codes;
}

Grid grid_of(std::span<const float> group, const GroupedLayout& layout) {
  const float steps = static_cast<float>((1 << layout.bits) - 1);
  const int middle = 1 << (layout.bits - 1);
  if (!layout.has_zeros) {
    return {f32_to_f16(-find_largest(group) / static_cast<float>(middle)), middle};
  }
  Four lows{}, highs{};
  for (size_t i = 0; i < group.size(); i += 4) {
    const Four x = load_four(group.data() + i);
    lows = x < lows ? x : lows;
    highs = x > highs ? x : highs;
  }
  float low = 0, high = 0;
  for (int i = 0; i < 4; ++i) {
    low = std::min(low, lows[i]);
    high = std::max(high, highs[i]);
  }
  Grid grid{f32_to_f16((high - low) / steps), 0};
  if (grid.scale() > 0) grid.zero = static_cast<int>(std::clamp(std::nearbyint(-low / grid.scale()), 0.0f, steps));
  return grid;
}

class GroupedTensor {
 public:
  GroupedTensor(const GroupedLayout& layout, const std::byte* tensor)
      : layout_(layout), planes_(planes_of(layout)), bytes_(reinterpret_cast<const uint8_t*>(tensor)) {}

  Grid grid(int64_t row, int64_t k) const {
    const uint8_t* panel = bytes_ + row / kPanelRows * layout_.panel_bytes();
    const int64_t place = k / layout_.group * kPanelRows + row % kPanelRows;
    Grid grid{0, layout_.has_zeros ? panel[layout_.zeros_at() + place] : 1 << (layout_.bits - 1)};
    std::memcpy(&grid.scale_bits, panel + layout_.scales_at() + 2 * place, sizeof grid.scale_bits);
    return grid;
  }

  int code(int64_t row, int64_t k) const {
    return code_at(planes_, bytes_ + row / kPanelRows * layout_.panel_bytes(), row % kPanelRows, k);
  }

  // Elements [k, k + count) of a row, of one group.
  void decode(int64_t row, int64_t k, int64_t count, float* out) const {
    const Grid of_group = grid(row, k);
    const float scale = of_group.scale();
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(code(row, k + i) - of_group.zero) * scale;
  }

  // Elements of a row, of one group, from k on, by their codes as they are stored.
  void put(int64_t row, int64_t k, std::span<const uint8_t> codes, uint16_t scale_bits, uint8_t zero,
           std::byte* tensor) const {
    auto* panel = reinterpret_cast<uint8_t*>(tensor) + row / kPanelRows * layout_.panel_bytes();
    const int64_t lane = row % kPanelRows;
    const int64_t place = k / layout_.group * kPanelRows + lane;
    std::memcpy(panel + layout_.scales_at() + 2 * place, &scale_bits, sizeof scale_bits);
    if (layout_.has_zeros) panel[layout_.zeros_at() + place] = zero;
    Codes line;
    for (size_t i = 0; i < codes.size(); i += kLeastGroup) {
      std::copy_n(codes.begin() + i, kLeastGroup, line.begin());
      put_codes(planes_, panel, lane, k + static_cast<int64_t>(i), line);
    }
  }

  // A group of a row, from its element k on. False where an element or the scale is infinite.
  bool encode(int64_t row, int64_t k, std::span<const float> group, std::byte* tensor) const {
    auto* panel = reinterpret_cast<uint8_t*>(tensor) + row / kPanelRows * layout_.panel_bytes();
    const int64_t lane = row % kPanelRows;
    const int64_t place = k / layout_.group * kPanelRows + lane;
    const Grid grid = grid_of(group, layout_);
    const float scale = grid.scale();
    if (!std::isfinite(scale)) return false;
    std::memcpy(panel + layout_.scales_at() + 2 * place, &grid.scale_bits, sizeof grid.scale_bits);
    if (layout_.has_zeros) panel[layout_.zeros_at() + place] = static_cast<uint8_t>(grid.zero);
    Codes codes;
    if (scale == 0) codes.fill(static_cast<uint8_t>(grid.zero));
    for (size_t i = 0; i < group.size(); i += kLeastGroup) {
      if (scale != 0) codes = find_codes(group.data() + i, scale, grid.zero, layout_.bits);
      put_codes(planes_, panel, lane, k + static_cast<int64_t>(i), codes);
    }
    return true;
  }

 private:
  const GroupedLayout& layout_;
  Planes planes_;
  const uint8_t* bytes_;
};

}  // namespace

GroupedLayout::GroupedLayout(const GroupedFormat& format, const Shape& shape)
    : bits(format.bits()), has_zeros(format.has_zeros()) {
  columns = shape.rank() == 0 ? 0 : shape[shape.rank() - 1];
  const int64_t least = std::max(format.group(), kLeastGroup);
  if (columns == 0 || columns % least != 0) {
    throw InvalidInput("{}: rows are whole groups; expected a multiple of {} elements, got {}; try smaller groups",
                       format.name(), least, to_string(shape));
  }
  rows = shape.elements() / columns;
  group = format.group() == 0 ? columns : format.group();
  groups = columns / group;
  panels = (rows + kPanelRows - 1) / kPanelRows;
  factor_group = group;
  if (format.group() == 0) factor_group = columns % 128 == 0 ? 128 : columns % 64 == 0 ? 64 : 32;
  panel_bytes_ = round_up(zeros_at() + (has_zeros ? kPanelRows * groups : 0), kLineBytes);
}

int64_t GroupedFormat::block_elements(const Shape& shape) const { return GroupedLayout(*this, shape).group; }

int64_t GroupedFormat::bytes(const Shape& shape) const {
  const GroupedLayout layout(*this, shape);
  return round_up(multiply_sizes(layout.panels, layout.panel_bytes(), name()), kPageBytes);
}

void GroupedFormat::decode(const Shape& shape, const std::byte* tensor, int64_t first, int64_t count,
                           float* out) const {
  const GroupedLayout layout(*this, shape);
  const GroupedTensor from(layout, tensor);
  for (int64_t i = first; i < first + count;) {
    const int64_t k = i % layout.columns;
    const int64_t run = std::min(layout.group - k % layout.group, first + count - i);
    from.decode(i / layout.columns, k, run, out);
    i += run;
    out += run;
  }
}

GroupedFormat::Element GroupedFormat::element(const Shape& shape, const std::byte* tensor, int64_t row,
                                              int64_t k) const {
  const GroupedLayout layout(*this, shape);
  const GroupedTensor from(layout, tensor);
  const Grid grid = from.grid(row, k);
  return {from.code(row, k) - grid.zero, grid.scale()};
}

int64_t GroupedFormat::encode(const Shape& shape, int64_t first, std::span<const float> elements, std::byte* tensor,
                              std::span<float>) const {
  const GroupedLayout layout(*this, shape);
  const GroupedTensor to(layout, tensor);
  for (size_t done = 0; done < elements.size(); done += static_cast<size_t>(layout.group)) {
    const int64_t at = first + static_cast<int64_t>(done);
    const auto group = elements.subspan(done, static_cast<size_t>(layout.group));
    if (!to.encode(at / layout.columns, at % layout.columns, group, tensor)) return at;
  }
  return -1;
}

int64_t GroupedFormat::stack_stride(const Shape& matrix) const {
  const GroupedLayout layout(*this, matrix);
  return layout.rows % kPanelRows == 0 ? layout.panels * layout.panel_bytes() : 0;
}

int64_t GroupedFormat::find_bad_scale(const Shape& shape, const std::byte* tensor) const {
  return headroom::find_bad_scale(GroupedLayout(*this, shape), tensor);
}

void GroupedFormat::put_group(const GroupedLayout& layout, int64_t first, std::span<const uint8_t> codes,
                              uint16_t scale_bits, uint8_t zero, std::byte* tensor) const {
  GroupedTensor(layout, tensor).put(first / layout.columns, first % layout.columns, codes, scale_bits, zero, tensor);
}

GroupedFormat::Group GroupedFormat::take_group(const GroupedLayout& layout, int64_t first, const std::byte* tensor,
                                               std::span<uint8_t> codes) const {
  const GroupedTensor from(layout, tensor);
  const int64_t row = first / layout.columns;
  const int64_t k = first % layout.columns;
  for (size_t i = 0; i < codes.size(); ++i) {
    codes[i] = static_cast<uint8_t>(from.code(row, k + static_cast<int64_t>(i)));
  }
  const Grid grid = from.grid(row, k);
  return {grid.scale_bits, static_cast<uint8_t>(grid.zero)};
}

// What no row fills.
void GroupedFormat::finish(const Shape& shape, std::byte* tensor, std::span<const float>) const {
  const GroupedLayout layout(*this, shape);
  const Planes planes = planes_of(layout);
  auto* panel = reinterpret_cast<uint8_t*>(tensor) + (layout.panels - 1) * layout.panel_bytes();
  for (int64_t row = layout.rows; row < layout.panels * kPanelRows; ++row) {
    const int64_t lane = row % kPanelRows;
    for (int64_t k = 0; k < layout.columns; k += kLeastGroup) put_codes(planes, panel, lane, k, {});
    for (int64_t g = 0; g < layout.groups; ++g) {
      std::memset(panel + layout.scales_at() + 2 * (g * kPanelRows + lane), 0, 2);
      if (layout.has_zeros) panel[layout.zeros_at() + g * kPanelRows + lane] = 0;
    }
  }
  const int64_t used = layout.zeros_at() + (layout.has_zeros ? kPanelRows * layout.groups : 0);
  for (int64_t i = 0; i < layout.panels; ++i) {
    std::memset(tensor + i * layout.panel_bytes() + used, 0, static_cast<size_t>(layout.panel_bytes() - used));
  }
  const int64_t end = layout.panels * layout.panel_bytes();
  std::memset(tensor + end, 0, static_cast<size_t>(bytes(shape) - end));
}

PanelRuns columns_of_panel(const GroupedLayout& whole, const GroupedLayout& part, int64_t first) {
  PanelRuns runs{};
  const auto add = [&](int64_t from, int64_t to, int64_t bytes) { runs.all[runs.count++] = {from, to, bytes}; };
  const Planes from = planes_of(whole), to = planes_of(part);
  for (size_t i = 0; i < from.count; ++i) {
    const int64_t column_bytes = kPanelRows * from.all[i].bits / 8;
    add(from.all[i].at + first * column_bytes, to.all[i].at, part.columns * column_bytes);
  }
  const int64_t place = first / whole.group * kPanelRows;
  add(whole.scales_at() + 2 * place, part.scales_at(), 2 * kPanelRows * part.groups);
  if (whole.has_zeros) add(whole.zeros_at() + place, part.zeros_at(), kPanelRows * part.groups);
  return runs;
}

int64_t find_bad_scale(const GroupedLayout& layout, const std::byte* tensor) {
  constexpr int kExponent = 0x7c00;  // all ones: no number
  for (int64_t panel = 0; panel < layout.panels; ++panel) {
    const std::byte* scales = tensor + panel * layout.panel_bytes() + layout.scales_at();
    for (int64_t place = 0; place < kPanelRows * layout.groups; ++place) {
      uint16_t bits;
      std::memcpy(&bits, scales + 2 * place, sizeof bits);
      if ((bits & kExponent) == kExponent) return panel * kPanelRows + place % kPanelRows;
    }
  }
  return -1;
}

namespace {

#define HEADROOM_GROUPED_FORMAT(bits, group_name, group)                                                     \
  constinit const GroupedFormat kInt##bits##_##group_name("int" #bits "_" #group_name, bits, false, group);  \
  constinit const GroupedFormat kUint##bits##_##group_name("uint" #bits "_" #group_name, bits, true, group); \
  HEADROOM_BLOCK_FORMAT(kInt##bits##_##group_name);                                                          \
  HEADROOM_BLOCK_FORMAT(kUint##bits##_##group_name)

#define HEADROOM_GROUPED_FORMATS(bits)      \
  HEADROOM_GROUPED_FORMAT(bits, g32, 32);   \
  HEADROOM_GROUPED_FORMAT(bits, g64, 64);   \
  HEADROOM_GROUPED_FORMAT(bits, g128, 128); \
  HEADROOM_GROUPED_FORMAT(bits, channel, 0)

HEADROOM_GROUPED_FORMATS(2);
HEADROOM_GROUPED_FORMATS(3);
HEADROOM_GROUPED_FORMATS(4);
HEADROOM_GROUPED_FORMATS(8);

}  // namespace

const GroupedFormat* as_grouped(DType dtype) {
  return is_scalar(dtype) ? nullptr : dynamic_cast<const GroupedFormat*>(&block_format(dtype));
}

const GroupedFormat* find_grouped(int bits, bool has_zeros, int64_t group) {
  const std::string name =
      fmt::format("{}{}_{}", has_zeros ? "uint" : "int", bits, group == 0 ? "channel" : fmt::format("g{}", group));
  return dynamic_cast<const GroupedFormat*>(find_block_format(name));
}

}  // namespace headroom
