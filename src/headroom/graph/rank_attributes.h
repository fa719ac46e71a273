// RankParts as constants of a node: "ranks" and "unit".
#pragma once

#include "headroom/base/rank_parts.h"
#include "headroom/graph/attributes.h"

namespace headroom {

Attributes attributes_of(const RankParts& parts);
// Of a whole of so many elements. Throws InvalidInput unless both are 1 or more.
RankParts rank_parts_of(const Attributes& attributes, int64_t elements);

}  // namespace headroom
