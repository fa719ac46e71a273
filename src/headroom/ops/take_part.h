// A rank's part of a value that it has whole.
#pragma once

#include "headroom/base/rank_parts.h"
#include "headroom/graph/builder.h"

namespace headroom {

// Elements of the part of `rank` of `whole` (f32 or bf16, of parts.elements elements), 0 beyond its end:
// [parts.room()].
ValueId take_part(Builder& build, ValueId whole, const RankParts& parts, int64_t rank);

}  // namespace headroom
