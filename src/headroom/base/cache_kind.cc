#include "headroom/base/cache_kind.h"

#include <algorithm>
#include <array>

#include "headroom/base/bytes.h"
#include "headroom/base/cache_format.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr std::array<std::string_view, 5> kCacheKindNames = {"f32", "bf16", "f16", "q8", "q4"};

// u8 where elements share scales.
DType element_of(CacheKind kind) {
  switch (kind) {
    case CacheKind::f32: return DType::f32;
    case CacheKind::bf16: return DType::bf16;
    case CacheKind::f16: return DType::f16;
    default: return DType::u8;
  }
}

}  // namespace

std::string_view name_of(CacheKind kind) { return kCacheKindNames[static_cast<size_t>(kind)]; }

CacheKind parse_cache_kind(std::string_view name, std::string_view what) {
  const auto place = std::find(kCacheKindNames.begin(), kCacheKindNames.end(), name);
  if (place == kCacheKindNames.end()) throw InvalidInput("{} {}: expected f32, bf16, f16, q8 or q4", what, name);
  return static_cast<CacheKind>(place - kCacheKindNames.begin());
}

int64_t cache_rows_of(int64_t tokens) { return round_up(tokens, kCachePanelRows); }

CacheTypes cache_types(CacheKind kind, int64_t head_size) {
  const DType element = element_of(kind);
  const int bits = element != DType::u8 ? static_cast<int>(8 * size_of(element)) : kind == CacheKind::q8 ? 8 : 4;
  const CacheFormat* keys = find_cache_format(CacheFormat::Order::keys, bits, head_size, element);
  const CacheFormat* values = find_cache_format(CacheFormat::Order::values, bits, head_size, element);
  if (element != DType::u8 && keys == nullptr) return {element, element};
  if (keys == nullptr || values == nullptr) {
    throw InvalidInput(
        "a KV cache in {}: elements of a head share scales by groups of 32 or 8; expected heads of a multiple of 8 "
        "elements, got {}; try f16",
        name_of(kind), head_size);
  }
  return {keys->dtype(), values->dtype()};
}

DType shared_cache_type(CacheKind kind, int64_t size) {
  const DType element = element_of(kind);
  return element != DType::u8 ? element : cache_types(kind, size).values;
}

}  // namespace headroom
