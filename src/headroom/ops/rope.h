// Rotary position embedding (Su et al. 2021), in the layout of Hugging Face's rotate_half.
//   T tokens, D head size (even), P positions of the table.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// x f32[T, heads*D]; positions i32[T], 0 <= positions[t] < P (the caller checks them); table f32[P, D], row p the
// cosines of the D/2 angles of position p, then their sines. In each head the pair (x1, x2) = (x[i], x[i + D/2])
// becomes
//   y1 = x1*cos - x2*sin,  y2 = x2*cos + x1*sin
// `inverse` turns back (negates sin): the gradient.
ValueId rope(Builder& build, ValueId x, ValueId positions, ValueId table, int64_t heads, bool inverse = false);

}  // namespace headroom
