// Rows written into a larger value in place: how keys and values enter the cache.
//   C rows of the target, T rows to write, F features (absent for rank 1).
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// rows[0 .. range[1]) go to target[range[0] ...). target [C, F] or [C], rows [T, F] or [T], in target's dtype, or f32
// where target is bf16 or f16: they are rounded to nearest even, beyond f16's largest number to infinity; or f32 where
// target [C, F] is in a format of caches (base/cache_format.h), which encodes each row alone. range i32[2] with 0 <=
// range[0], 0 <= range[1] <= T, range[0] + range[1] <= C (the caller checks it). With range i32[R, 2] the rows behind
// those of one range go to the next (T in all). The result takes target's storage and role.
ValueId write_rows(Builder& build, ValueId target, ValueId rows, ValueId range);

// The ranges of a node that writes rows of `target`; kNoValue of any other.
ValueId written_ranges(const Node& node, ValueId target);

}  // namespace headroom
