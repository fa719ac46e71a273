// What a file holds otherwise than kernels read it, put right where it lies, as it comes from the model's files: rows
// of queries and keys in the order of GGUF files, blocks that are groups (base/group_blocks.h).
//   N rows, K columns
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// raw [N, K] in f32, bf16, f16 or a block format whose rows lie one behind the other -> the same; in q8_0 or q4_0, K a
// multiple of 64, -> int8_g32 or int4_g32, the same numbers. head_rows: of a head whose rows alternate between its
// halves (base/interleaved_rows.h); 0: rows are in order. The result lies in raw's storage. No gradient.
ValueId arrange(Builder& build, ValueId raw, int64_t head_rows);

// Whether arrange makes a weight of type `kept` of rows in `raw`.
bool comes_of(DType raw, const Type& kept);
// What blocks of Q8_0 are called in graphs.
DType q8_blocks();

}  // namespace headroom
