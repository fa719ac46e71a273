// What a file holds otherwise than kernels read it, put right where it lies, as it comes from the model's files: rows
// of queries and keys in the order of GGUF files, blocks of Q8_0.
//   N rows, K columns
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// raw [N, K] in f32, bf16 or f16 -> the same; in q8_0, K a multiple of 64, -> int8_g32, the same numbers. head_rows: of
// a head whose rows alternate between its halves (base/interleaved_rows.h); 0: rows are in order. The result lies in
// raw's storage. No gradient.
ValueId arrange(Builder& build, ValueId raw, int64_t head_rows);

// Whether a weight of that format in memory, with that many columns, can come of blocks of Q8_0 by this.
bool comes_of_q8(DType kept, int64_t columns);
// What those blocks are called in graphs.
DType q8_blocks();

}  // namespace headroom
