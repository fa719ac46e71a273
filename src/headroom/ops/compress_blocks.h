// What ranks send each other in fewer bits, and back (Wang et al. 2023, "ZeRO++"): 8 or 4 bits an element and a scale
// each 128, in units of 1,024 elements that are as long in bytes (backend/exchange_blocks.h), so that parts of a value
// are parts of its bytes. n elements, u = ceil(n / 1024) units of b bytes.
//
//   c = compress_blocks(x)          u8[u b] of x f32 of n elements, rounded to nearest, halves down
//   c = compress_blocks(x, key)     rounded stochastically, by the words of elements `first` + i (ops/random_key.h)
//   y = decompress_blocks(c)        f32 of n elements, of one or two dimensions; of c u8[D, u b] rows f32[D, n]
#pragma once

#include <string_view>

#include "headroom/graph/builder.h"

namespace headroom {

inline constexpr int64_t kCompressedUnit = 1024;  // elements
int64_t compressed_unit_bytes(int64_t bits);

ValueId compress_blocks(Builder& build, ValueId x, int64_t bits, Role role);
// `first` is a multiple of 64. `name`: whose words these are (random_site).
ValueId compress_blocks_at_random(Builder& build, ValueId x, int64_t bits, std::string_view name, int64_t first,
                                  Role role);
ValueId decompress_blocks(Builder& build, ValueId compressed, int64_t bits, const Shape& shape, Role role);

}  // namespace headroom
