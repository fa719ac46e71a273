#include "headroom/base/grouped_format.h"

#include <algorithm>
#include <array>
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

void put_code(const Planes& planes, uint8_t* panel, int64_t lane, int64_t k, int code) {
  for (size_t i = 0; i < planes.count; ++i) {
    const Plane& plane = planes.all[i];
    const Place place = place_of(plane, lane, k);
    const int mask = (1 << plane.bits) - 1;
    const int kept = panel[place.byte] & ~(mask << place.shift);
    panel[place.byte] = static_cast<uint8_t>(kept | (code >> plane.shift & mask) << place.shift);
  }
}

// What a group's codes mean.
struct Grid {
  uint16_t scale_bits;
  int zero;

  float scale() const { return f16_to_f32(scale_bits); }
};

Grid grid_of(std::span<const float> group, const GroupedLayout& layout) {
  const float steps = static_cast<float>((1 << layout.bits) - 1);
  const int middle = 1 << (layout.bits - 1);
  if (!layout.has_zeros) {
    float largest = 0;
    for (const float x : group) largest = std::fabs(x) > std::fabs(largest) ? x : largest;
    return {f32_to_f16(-largest / static_cast<float>(middle)), middle};
  }
  float low = 0, high = 0;
  for (const float x : group) low = std::min(low, x), high = std::max(high, x);
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

  // A group of a row, from its element k on, by its codes less the zero.
  void put(int64_t row, int64_t k, std::span<const int8_t> codes, uint16_t scale_bits, std::byte* tensor) const {
    auto* panel = reinterpret_cast<uint8_t*>(tensor) + row / kPanelRows * layout_.panel_bytes();
    const int64_t lane = row % kPanelRows;
    const int64_t place = k / layout_.group * kPanelRows + lane;
    std::memcpy(panel + layout_.scales_at() + 2 * place, &scale_bits, sizeof scale_bits);
    const int zero = 1 << (layout_.bits - 1);
    if (layout_.bits == 8) {  // four columns of a row side by side
      for (size_t i = 0; i < codes.size(); i += 4) {
        uint32_t four;
        std::memcpy(&four, codes.data() + i, sizeof four);
        four ^= 0x80808080;
        std::memcpy(panel + (k + static_cast<int64_t>(i)) * kPanelRows + 4 * lane, &four, sizeof four);
      }
      return;
    }
    for (const int8_t& code : codes) put_code(planes_, panel, lane, k + (&code - codes.data()), code + zero);
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
    const float most = static_cast<float>((1 << layout_.bits) - 1);
    for (const float& x : group) {
      const float code =
          scale == 0 ? static_cast<float>(grid.zero) : std::nearbyint(x / scale) + static_cast<float>(grid.zero);
      put_code(planes_, panel, lane, k + (&x - group.data()), static_cast<int>(std::clamp(code, 0.0f, most)));
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

void GroupedFormat::put(const GroupedLayout& layout, int64_t first, std::span<const int8_t> codes, uint16_t scale_bits,
                        std::byte* tensor) const {
  GroupedTensor(layout, tensor).put(first / layout.columns, first % layout.columns, codes, scale_bits, tensor);
}

// What no row fills.
void GroupedFormat::finish(const Shape& shape, std::byte* tensor, std::span<const float>) const {
  const GroupedLayout layout(*this, shape);
  const Planes planes = planes_of(layout);
  auto* panel = reinterpret_cast<uint8_t*>(tensor) + (layout.panels - 1) * layout.panel_bytes();
  for (int64_t row = layout.rows; row < layout.panels * kPanelRows; ++row) {
    const int64_t lane = row % kPanelRows;
    for (int64_t k = 0; k < layout.columns; ++k) put_code(planes, panel, lane, k, 0);
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
