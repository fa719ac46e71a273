// The order of a Gram matrix' columns, and the matrix put into it (ops/factor_gram.h): what kernels of every
// instruction set share.
#pragma once

#include <cstdint>
#include <span>

#include "headroom/base/threads.h"

namespace headroom {

// Columns of the factorisation that are done together; part of its written order of operations.
inline constexpr int64_t kFactorColumns = 256;

// `gram` f32[K, K] with K = order.size(), a multiple of `group`.
void order_columns(const float* gram, int64_t group, std::span<int32_t> order);

// Rows and columns; `scratch` holds a row for each thread.
void permute_gram(float* gram, std::span<const int32_t> order, Threads& threads, float* scratch);

// The mean of the diagonal times `damping`: a sum in f64, ascending, rounded once.
float damping_of(const float* gram, int64_t columns, double damping);

}  // namespace headroom
