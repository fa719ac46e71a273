// What keys and values of a KV cache are kept in: one choice for both, whose formats follow from the size of a head.
#pragma once

#include <cstdint>
#include <string_view>

#include "headroom/base/dtype.h"

namespace headroom {

// q8 and q4: 8 and 4 bits (base/cache_format.h).
enum class CacheKind : uint8_t { f32, bf16, f16, q8, q4 };

// "f32", ..., "q4".
std::string_view name_of(CacheKind kind);
// Throws InvalidInput naming `what` where `name` is none of them.
CacheKind parse_cache_kind(std::string_view name, std::string_view what);

struct CacheTypes {
  DType keys;
  DType values;
};
// Panels (base/cache_format.h), or plain rows of f32, bf16 and f16 for heads that are no whole groups. Throws
// InvalidInput where q8 and q4 cannot keep such heads.
CacheTypes cache_types(CacheKind kind, int64_t head_size);
// Of a cache whose rows are keys and values at once: plain rows, or where elements share scales those of values.
// `size`: of a row. Throws InvalidInput as cache_types.
DType shared_cache_type(CacheKind kind, int64_t size);
// Rows that a sequence of so many tokens takes among others in one cache: kernels read whole panels at once.
int64_t cache_rows_of(int64_t tokens);

}  // namespace headroom
