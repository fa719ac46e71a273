#include "headroom/base/ordered_format.h"

#include <algorithm>
#include <cstring>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr int64_t kLineOfPlane = 64;

uint16_t u16_at(const std::byte* from) {
  uint16_t number;
  std::memcpy(&number, from, sizeof number);
  return number;
}

}  // namespace

OrderedFormat::Planes OrderedFormat::planes(const Shape& shape) const {
  Planes planes{};
  planes.columns = shape.rank() == 0 ? 0 : shape[shape.rank() - 1];
  if (planes.columns == 0 || planes.columns % group_ != 0) {
    throw InvalidInput("{}: rows are whole groups; expected a multiple of {} elements, got {}", name(), group_,
                       to_string(shape));
  }
  const int64_t rows = shape.elements() / planes.columns;
  planes.groups = planes.columns / group_;
  planes.row_bytes = planes.columns * bits_ / 8;
  planes.scales_at = round_up(2 * planes.columns, kLineOfPlane);
  planes.zeros_at = planes.scales_at + round_up(2 * rows * planes.groups, kLineOfPlane);
  planes.codes_at = planes.zeros_at + round_up(rows * planes.groups, kLineOfPlane);
  planes.bytes = planes.codes_at + rows * planes.row_bytes;
  return planes;
}

int64_t OrderedFormat::bytes(const Shape& shape) const { return planes(shape).bytes; }

void OrderedFormat::decode(const Shape& shape, const std::byte* tensor, int64_t first, int64_t count,
                           float* out) const {
  const Planes at = planes(shape);
  const int mask = (1 << bits_) - 1;
  for (int64_t i = first; i < first + count;) {
    const int64_t row = i / at.columns, column = i % at.columns;
    const int64_t run = std::min(at.columns - column, first + count - i);
    const std::byte* scales = tensor + at.scales_at + 2 * row * at.groups;
    const auto* zeros = reinterpret_cast<const uint8_t*>(tensor + at.zeros_at) + row * at.groups;
    const auto* codes = reinterpret_cast<const uint8_t*>(tensor + at.codes_at) + row * at.row_bytes;
    for (int64_t k = column; k < column + run; ++k) {
      const int64_t group = u16_at(tensor + 2 * k);
      const int64_t bit = k * bits_;
      int code = codes[bit / 8];
      if (bit % 8 + bits_ > 8) code |= codes[bit / 8 + 1] << 8;
      code = code >> (bit % 8) & mask;
      *out++ = static_cast<float>(code - zeros[group]) * f16_to_f32(u16_at(scales + 2 * group));
    }
    i += run;
  }
}

namespace {

#define HEADROOM_ORDERED_FORMAT(bits, group)                                                        \
  constinit const OrderedFormat kOrdered##bits##_##group("ordered" #bits "_g" #group, bits, group); \
  HEADROOM_BLOCK_FORMAT(kOrdered##bits##_##group)

#define HEADROOM_ORDERED_FORMATS(bits) \
  HEADROOM_ORDERED_FORMAT(bits, 32);   \
  HEADROOM_ORDERED_FORMAT(bits, 64);   \
  HEADROOM_ORDERED_FORMAT(bits, 128)

HEADROOM_ORDERED_FORMATS(2);
HEADROOM_ORDERED_FORMATS(3);
HEADROOM_ORDERED_FORMATS(4);
HEADROOM_ORDERED_FORMATS(8);

}  // namespace

const OrderedFormat* find_ordered(int bits, int64_t group) {
  return dynamic_cast<const OrderedFormat*>(find_block_format(fmt::format("ordered{}_g{}", bits, group)));
}

}  // namespace headroom
