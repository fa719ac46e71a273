// What data-parallel ranks exchange, in fewer bits (Wang et al. 2023, "ZeRO++", sections 4.1 and 4.3). Trades exactness
// for bytes on the wire: every rank reads the same numbers, which are no more those that were sent. Masters, states and
// sums stay f32; norms, losses and tensors that ranks do not divide go as they are.
#pragma once

#include "headroom/base/rank_parts.h"
#include "headroom/graph/graph.h"

namespace headroom {

inline constexpr int64_t kWeightBitsOnWire = 8;
inline constexpr int64_t kGradientBitsOnWire = 4;

// As divide_weights leaves it: what is gathered of weights in f32 crosses the wire in 8 bits, rounded to nearest.
Graph compress_gathered_weights(Graph graph);

// As divide_updates leaves it: versions of gradients cross the wire in 4 bits, rounded at random by words of each
// rank's own, and are added in f32. A rank's own version is rounded as those of the others are.
Graph compress_scattered_gradients(Graph graph, const RankPlace& place);

}  // namespace headroom
