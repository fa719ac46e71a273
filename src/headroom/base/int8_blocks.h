// Signed bytes in blocks of 64 elements of the flat tensor, each block with an f32 scale: 8.5 bits an element.
//
//   N elements, n = ceil(N / 64) blocks
//   | codes                    | scales      |
//   | N signed bytes           | n times f32 |    each begins a line of 64 bytes
//
// An element is code * scale. Encoded, the scale is the block's largest magnitude / 127, the code x / magnitude * 127
// rounded to nearest even.
#pragma once

#include <cstdint>

#include "headroom/base/block_format.h"

namespace headroom {

const BlockFormat& int8_blocks();

inline constexpr int64_t kInt8Block = 64;
// Where the scales begin.
inline constexpr int64_t int8_scales_at(int64_t elements) { return (elements + 63) / 64 * 64; }

}  // namespace headroom
