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

// x f32[T, F]. With 8 and 4 bits the graph input random_key is drawn from, and rows i32[2] is read: rows[0] is the
// number of x's first row in the batch, so that a micro-batch draws what the whole batch would.
std::vector<ValueId> compress(Builder& build, ValueId x, int64_t bits, ValueId rows);
// What compress made of x f32[T, features]; f32[T, features].
ValueId decompress(Builder& build, const std::vector<ValueId>& compressed, int64_t bits, int64_t features);

}  // namespace headroom
