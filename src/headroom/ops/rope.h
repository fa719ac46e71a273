// Rotary position embedding (Su et al. 2021).
//   T tokens, S head size, D features of a head that are rotated (even), P positions of the table.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

enum class RotaryPairs : uint8_t {
  halves,     // (x[i], x[i + D/2]): Hugging Face's rotate_half
  neighbours  // (x[2i], x[2i + 1]): DeepSeek's models from V2 on
};

// x f32[T, heads*S]; positions i32[T], 0 <= positions[t] < P (the caller checks them); table f32[P, D], row p the
// cosines of the D/2 angles of position p, then their sines. Of each head the last D features are rotated, the others
// stay: pair number i, (x1, x2), becomes
//   y1 = x1*cos - x2*sin,  y2 = x2*cos + x1*sin
// `inverse` turns back (negates sin): the gradient.
ValueId rope(Builder& build, ValueId x, ValueId positions, ValueId table, int64_t heads,
             RotaryPairs pairs = RotaryPairs::halves, bool inverse = false);

}  // namespace headroom
