#include "headroom/base/cache_format.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "headroom/base/bytes.h"
#include "headroom/base/convert.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr uint16_t kHalfNaN = 0x7e00;

// The byte of a group's codes that holds element k of a panel's row, and how far up in it.
struct CodePlace {
  int64_t byte;
  int shift;
};

CodePlace place_of(const CacheLayout& layout, int64_t lane, int64_t k) {
  const bool halves = layout.bits == 4;
  if (!layout.is_scaled()) {
    const int64_t place =
        layout.order == CacheFormat::Order::keys ? k * kCachePanelRows + lane : lane * layout.group + k;
    return {layout.bits / 8 * place, 0};
  }
  if (layout.order == CacheFormat::Order::keys) {
    return {(halves ? k / 2 : k) * kCachePanelRows + lane, halves ? static_cast<int>(k % 2) * 4 : 0};
  }
  const int64_t row_bytes = layout.group * layout.bits / 8;
  return {lane * row_bytes + k % row_bytes, static_cast<int>(k / row_bytes) * 4};
}

// Of a group of one row.
struct CacheGroup {
  CacheGroup(const CacheLayout& layout, const Shape& shape, int64_t element)
      : lane(element / shape[1] % kCachePanelRows),
        codes_at(element / shape[1] / kCachePanelRows * layout.panel_bytes +
                 element % shape[1] / layout.group * layout.group_bytes()),
        scale_at(codes_at + layout.scales_at() + 2 * lane),
        low_at(codes_at + layout.lows_at() + 2 * lane) {}
  int64_t lane;
  int64_t codes_at, scale_at, low_at;  // bytes of the tensor
};

uint16_t half_at(const std::byte* from) {
  uint16_t half;
  std::memcpy(&half, from, sizeof half);
  return half;
}

// False where the group is NaN.
bool encode_group(const CacheLayout& layout, const CacheGroup& at, std::span<const float> elements, std::byte* tensor) {
  if (!layout.is_scaled()) {
    for (int64_t k = 0; k < layout.group; ++k) {
      std::byte* place = tensor + at.codes_at + place_of(layout, at.lane, k).byte;
      convert_elements(DType::f32, &elements[static_cast<size_t>(k)], layout.element, place, 1);
    }
    return true;
  }
  const auto [smallest, largest] = std::minmax_element(elements.begin(), elements.end());
  const bool has_nan = std::any_of(elements.begin(), elements.end(), [](float x) { return x != x; });
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const CacheGrid grid(has_nan ? nan : *smallest, has_nan ? nan : *largest, layout.bits);
  std::memcpy(tensor + at.scale_at, &grid.scale_bits, sizeof grid.scale_bits);
  std::memcpy(tensor + at.low_at, &grid.low_bits, sizeof grid.low_bits);
  const float scale = f16_to_f32(grid.scale_bits);
  const float low = f16_to_f32(grid.low_bits);
  const float most = static_cast<float>((1 << layout.bits) - 1);
  auto* codes = reinterpret_cast<uint8_t*>(tensor + at.codes_at);
  for (int64_t k = 0; k < layout.group; ++k) {
    const float quotient = (elements[static_cast<size_t>(k)] - low) / scale;
    const float code = scale > 0 ? std::clamp(std::nearbyint(quotient), 0.0f, most) : 0.0f;
    const CodePlace place = place_of(layout, at.lane, k);
    const int kept = layout.bits == 8 ? 0 : codes[place.byte] & (0xf0 >> place.shift);
    codes[place.byte] = static_cast<uint8_t>(kept | static_cast<int>(code) << place.shift);
  }
  return !grid.is_nan();
}

// Groups of 32, and of 8 where heads ask for them.
constexpr auto kKeys = CacheFormat::Order::keys;
constexpr auto kValues = CacheFormat::Order::values;
#define HEADROOM_CACHE_FORMAT(object, ...)         \
  constinit const CacheFormat object(__VA_ARGS__); \
  HEADROOM_BLOCK_FORMAT(object)

HEADROOM_CACHE_FORMAT(kKeysF32, "keys_f32", kKeys, 32, 32, DType::f32);
HEADROOM_CACHE_FORMAT(kValuesF32, "values_f32", kValues, 32, 32, DType::f32);
HEADROOM_CACHE_FORMAT(kKeysBf16, "keys_bf16", kKeys, 16, 32, DType::bf16);
HEADROOM_CACHE_FORMAT(kKeysF16, "keys_f16", kKeys, 16, 32, DType::f16);
HEADROOM_CACHE_FORMAT(kValuesBf16, "values_bf16", kValues, 16, 32, DType::bf16);
HEADROOM_CACHE_FORMAT(kValuesF16, "values_f16", kValues, 16, 32, DType::f16);
HEADROOM_CACHE_FORMAT(kKeysQ8, "keys_q8", kKeys, 8, 32);
HEADROOM_CACHE_FORMAT(kKeysQ4, "keys_q4", kKeys, 4, 32);
HEADROOM_CACHE_FORMAT(kValuesQ8, "values_q8", kValues, 8, 32);
HEADROOM_CACHE_FORMAT(kValuesQ4, "values_q4", kValues, 4, 32);
HEADROOM_CACHE_FORMAT(kKeysQ8G8, "keys_q8_g8", kKeys, 8, 8);
HEADROOM_CACHE_FORMAT(kKeysQ4G8, "keys_q4_g8", kKeys, 4, 8);
HEADROOM_CACHE_FORMAT(kValuesQ8G8, "values_q8_g8", kValues, 8, 8);
HEADROOM_CACHE_FORMAT(kValuesQ4G8, "values_q4_g8", kValues, 4, 8);

#undef HEADROOM_CACHE_FORMAT

}  // namespace

CacheGrid::CacheGrid(float smallest, float largest, int bits) : low_bits(f32_to_f16(smallest + 0.0f)) {
  const float low = f16_to_f32(low_bits);
  const float range = largest > low ? largest - low : largest == largest ? 0.0f : largest;
  scale_bits = f32_to_f16(range / static_cast<float>((1 << bits) - 1));
  if (!std::isfinite(low) || !std::isfinite(f16_to_f32(scale_bits))) scale_bits = low_bits = kHalfNaN;
}

bool CacheGrid::is_nan() const { return scale_bits == kHalfNaN; }

CacheLayout::CacheLayout(const CacheFormat& format, const Shape& shape)
    : order(format.order()), bits(format.bits()), element(format.element()), group(format.group()) {
  if (shape.rank() != 2 || shape[1] == 0 || shape[1] % group != 0) {
    throw InvalidInput(
        "{}: a cache is [rows, elements], rows are whole groups; expected a multiple of {} elements, got {}",
        format.name(), group, to_string(shape));
  }
  groups = shape[1] / group;
  panel_bytes = multiply_sizes(groups, group_bytes(), format.name());
}

int64_t CacheFormat::bytes(const Shape& shape) const {
  const CacheLayout layout(*this, shape);
  return multiply_sizes((shape[0] + kCachePanelRows - 1) / kCachePanelRows, layout.panel_bytes, name());
}

void CacheFormat::decode(const Shape& shape, const std::byte* tensor, int64_t first, int64_t count, float* out) const {
  const CacheLayout layout(*this, shape);
  const int mask = layout.is_scaled() ? (1 << bits_) - 1 : 0;
  for (int64_t i = first; i < first + count; ++i) {
    const CacheGroup group(layout, shape, i);
    const CodePlace place = place_of(layout, group.lane, i % group_);
    if (!layout.is_scaled()) {
      convert_elements(element_, tensor + group.codes_at + place.byte, DType::f32, out++, 1);
      continue;
    }
    const int code = static_cast<uint8_t>(tensor[group.codes_at + place.byte]) >> place.shift & mask;
    *out++ = std::fma(static_cast<float>(code), f16_to_f32(half_at(tensor + group.scale_at)),
                      f16_to_f32(half_at(tensor + group.low_at)));
  }
}

int64_t CacheFormat::encode(const Shape& shape, int64_t first, std::span<const float> elements, std::byte* tensor,
                            std::span<float> /*waiting*/) const {
  const CacheLayout layout(*this, shape);
  int64_t bad = -1;
  for (int64_t i = 0; i < static_cast<int64_t>(elements.size()); i += group_) {
    const bool holds = encode_group(layout, CacheGroup(layout, shape, first + i),
                                    elements.subspan(static_cast<size_t>(i), static_cast<size_t>(group_)), tensor);
    if (!holds && bad < 0) bad = first + i;
  }
  return bad;
}

const CacheFormat* as_cache_format(DType dtype) {
  return is_scalar(dtype) ? nullptr : dynamic_cast<const CacheFormat*>(&block_format(dtype));
}

const CacheFormat* find_cache_format(CacheFormat::Order order, int bits, int64_t head_size, DType element) {
  const char* const plane = order == CacheFormat::Order::keys ? "keys" : "values";
  const std::string kind = element == DType::u8 ? fmt::format("q{}", bits) : std::string(name_of(element));
  for (const auto& [group, suffix] : {std::pair{32, ""}, std::pair{8, "_g8"}}) {
    if (head_size % group != 0) continue;
    const BlockFormat* format = find_block_format(fmt::format("{}_{}{}", plane, kind, suffix));
    if (format != nullptr) return as_cache_format(format->dtype());
  }
  return nullptr;
}

}  // namespace headroom
