// Activations in fewer bits while nobody reads them, and back (Chen et al. 2021, "ActNN"; Liu et al. 2022, "GACT"): 8
// or 4 bits an element with one scale a block of 128, rounded stochastically (backend/activation_blocks.h), or bf16,
// rounded to nearest even.
//   T tokens, F features.
#pragma once

#include "headroom/graph/builder.h"

namespace headroom {

// What stands for f32[T, F]: of 8 and 4 bits codes u8[T, F * bits / 8] and scales bf16[T, blocks]; of 16 bits one
// value, bf16[T, F].
std::vector<Type> compressed_types(const Type& x, int64_t bits);

// Nodes are added by passes/compress_activations; their operands:
//   compress(x f32[T, F], random_key i32[4], rows i32[2]) {bits = 8 or 4, site}; rows[0] is the number of x's first row
//   in the batch, so that a micro-batch draws what the whole batch would; compress(x) {bits = 16}
//   decompress(what compress made) {bits, features = F} -> f32[T, F]

}  // namespace headroom
