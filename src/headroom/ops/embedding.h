// Rows of a table, picked by index; and the gradient of the table.
//   T tokens, V rows of the table, F features.
#pragma once

#include <string_view>

#include "headroom/graph/builder.h"

namespace headroom {

// y[t] = table[ids[t]]. table [V, F] is f32, bf16 or f16, ids i32[T] with 0 <= ids[t] < V (the caller checks them: a
// kernel cannot); y f32[T, F].
ValueId embedding(Builder& build, ValueId table, ValueId ids);

// Where the host picks the rows, what stands behind the name of the ids in that of the input: "tokens.rows".
inline constexpr std::string_view kRowsSuffix = ".rows";

// dtable f32[V, F] from ids i32[T] and dy f32[T, F]: for each row of the table one chain of additions over its tokens,
// ascending. The chain starts at +0, or goes on from `sum` (in its storage).
ValueId embedding_backward(Builder& build, ValueId ids, ValueId dy, int64_t rows, ValueId sum = kNoValue);

// base + dtable in base's storage, the chain of each row complete before it is added once; rows without a token keep
// base's bits. For a table used twice (tied embeddings).
ValueId add_embedding_backward(Builder& build, ValueId ids, ValueId dy, ValueId base);

}  // namespace headroom
