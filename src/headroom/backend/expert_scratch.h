// The scratch of products with experts' matrices (ops/expert_matmul.h): an expert's rows, one behind the other, before
// what the products themselves take.
//   T tokens: no expert has more rows
#pragma once

#include <cstdint>

#include "headroom/base/bytes.h"

namespace headroom {

// Of rows of `features` elements that are gathered, or brought to f32.
inline int64_t expert_rows_bytes(int64_t tokens, int64_t features, int64_t element_bytes) {
  return round_up(tokens * features * element_bytes, 64);
}

}  // namespace headroom
