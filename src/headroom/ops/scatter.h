// A value that each rank has its own version of, a gradient: of each part all versions go to the rank whose part it is,
// an all-to-all on the network's lane, and are added there as a balanced tree (ops/add_rank_rows.h): a reduce-scatter
// whose sums are in a written order. D ranks, n elements, parts of at most c as base/rank_parts.h says; a panel is
// elements [first, first + p) of every part.
//
//   r = scatter(g)          begins to send the panel of each part of g to its rank and to receive all versions of the
//                           own part's into the rows of r f32[D, p], by rank; 0 beyond the part's end
//   r' = scattered(r, g)    waits for that, in r's storage
//
// g may be u8, compressed (ops/compress_blocks.h): n, c, p and the cut are of its bytes then, and so is r.
#pragma once

#include "headroom/base/rank_parts.h"
#include "headroom/graph/builder.h"

namespace headroom {

struct Scattering {
  ValueId whole = kNoValue;
  ValueId arriving = kNoValue;  // nobody's to read
};

// `whole` f32 or u8 of parts.elements elements; 0 <= first, first + elements <= parts.room().
Scattering begin_scatter(Builder& build, ValueId whole, const RankParts& parts, int64_t first, int64_t elements);
ValueId wait_for(Builder& build, const Scattering& scattering);  // [D, elements]

}  // namespace headroom
