// Blocks of ggml that hold what a group of a grouped format does: Q8_0 that of int8_g32, Q4_0 that of int4_g32. In
// memory they are kept as those groups, in as many bits.
#pragma once

#include "headroom/base/grouped_format.h"

namespace headroom {

inline constexpr int64_t kGroupBlockElements = 32;

// What weights of that block format are kept in: the grouped format that holds the same numbers in as many bits, or
// the same.
DType arranged_format(DType blocks);

// The block at `block`, of the format that is kept as `format`, becomes the group from element number `first` on of the
// tensor at `out`. As GroupedFormat::put_group.
void put_block(const GroupedFormat& format, const GroupedLayout& layout, int64_t first, const std::byte* block,
               std::byte* out);

}  // namespace headroom
