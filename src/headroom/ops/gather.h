// What ranks hold in parts, whole on each of them: an all-gather on the network's lane. Bytes only. They have no
// kernels; the executor gives them to the job's communicator (comm/communicator.h). D ranks, c elements of room for a
// part, n of the whole, cut as base/rank_parts.h says.
//
//   b = gather(p)          begins to send p[c] to all and to receive their parts into b[n], of `whole` type
//   b = gather(p, t)       into the storage of t instead
//   w = gathered(b, p)     waits for that, in b's storage
#pragma once

#include "headroom/base/rank_parts.h"
#include "headroom/graph/builder.h"

namespace headroom {

// A begun gather and what it will be.
struct Gathering {
  ValueId part = kNoValue;
  ValueId arriving = kNoValue;  // nobody's to read
};

// `whole`: f32, f64, bf16, f16 or u8, of at most two dimensions and parts.elements elements; `part` of that dtype.
Gathering begin_gather(Builder& build, ValueId part, const Shape& whole, const RankParts& parts, Role role);
// Over what `target`, of the whole's type, held. Keeps its role.
Gathering begin_gather_into(Builder& build, ValueId target, ValueId part, const RankParts& parts);
ValueId wait_for(Builder& build, const Gathering& gathering);

}  // namespace headroom
