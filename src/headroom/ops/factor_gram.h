// The Gram matrix of a layer's inputs as what choosing codes for its weights needs (ops/gptq.h): columns in an order,
// and the factor by which the error of one column is made good in those that follow.
//   K inputs of the layer
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

struct FactoredGram {
  ValueId factor;    // f32[K, K]
  ValueId order;     // i32[K]: which column comes when
  ValueId diagonal;  // f32[K]: of the damped matrix, in that order
};

// G = sum of x x^T over tokens, f32[K, K], of which the factor takes the storage. Columns are put in order by their
// diagonal, the largest first, within whole groups of `group` columns: groups by their largest, columns within them,
// the lower index first among equals (the group-aware order of GPTQModel, of which K columns in one group are the
// activation order of Frantar et al. 2022). lambda = damping x the mean of the diagonal is added to it. Then
//   G + lambda I = U diag(d) U^T,  U upper triangular with ones on its diagonal,
// without an inverse: U holds what GPTQ takes from the factor of the inverse (Chee et al. 2023, QuIP, theorem 6). The
// factor holds U above the diagonal, d on it and the ordered G below it. No d is below lambda, which exact arithmetic
// would not allow. `damping` > 0; K is a multiple of `group`.
FactoredGram factor_gram(Builder& build, ValueId gram, double damping, int64_t group);

}  // namespace headroom
