// Parts of a matrix side by side: what makes one of the products with panels of a weight.
//   S rows
#pragma once

#include <vector>

#include "headroom/graph/builder.h"

namespace headroom {

// parts f32[S, N_0], f32[S, N_1], ... -> f32[S, N_0 + N_1 + ...], at most kMostColumnParts of them.
inline constexpr size_t kMostColumnParts = 64;
ValueId join_columns(Builder& build, const std::vector<ValueId>& parts);

}  // namespace headroom
