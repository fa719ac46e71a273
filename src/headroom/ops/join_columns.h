// Parts of a matrix side by side, and a matrix cut into two.
//   S rows
#pragma once

#include <vector>

#include "headroom/graph/builder.h"

namespace headroom {

// parts [S, N_0], [S, N_1], ... in one of f32, bf16 and f16 -> [S, N_0 + N_1 + ...], at most kMostColumnParts of them.
inline constexpr size_t kMostColumnParts = 64;
ValueId join_columns(Builder& build, const std::vector<ValueId>& parts);

struct ColumnParts {
  ValueId first;
  ValueId second;
};

// x [S, N] -> [S, columns] and [S, N - columns].
ColumnParts split_columns(Builder& build, ValueId x, int64_t columns);
}  // namespace headroom
